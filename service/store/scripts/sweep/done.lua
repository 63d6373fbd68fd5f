-- Takes down up to which horizon the stripe has been swept.

call('SET', PREFIX .. 'swept', string.format('%d', HORIZON))
return {'ok'}

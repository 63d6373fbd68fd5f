-- Writes the horizon up to which the stripe has been swept.

call('SET', PREFIX .. 'swept', string.format('%d', HORIZON))
return {'ok'}

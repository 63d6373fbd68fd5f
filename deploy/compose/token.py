"""Prints a token for the API of `compose.yaml`: `docker compose run --rm token [PROJECT] [--user ID]`."""

import argparse
import os
import sys
import time

from deploy.local.tokens import TOKEN_LIFE_SECONDS, sign_token
from deploy.traffic.population import PROJECTS


def main() -> int:
    """Prints the token; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="docker compose run --rm token",
        description=f"Prints a token that is valid for {TOKEN_LIFE_SECONDS // 3600} hours.",
    )
    parser.add_argument(
        "project",
        nargs="?",
        default=PROJECTS[0].project_id,
        help="a project's id (one of sample traffic: %(default)s)",
    )
    parser.add_argument("--user", help="the id of a user, who sees its own jobs alone (otherwise: an administrator)")
    arguments = parser.parse_args()
    token = sign_token(
        os.environ["STATS_JWT_SECRET"],
        user_id=arguments.user or "administrator",
        name=arguments.user or "administrator",
        project_id=arguments.project,
        role="te_user" if arguments.user else "te_admin",
        now_seconds=int(time.time()),
    )
    print(token)
    return 0


if __name__ == "__main__":
    sys.exit(main())

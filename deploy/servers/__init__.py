"""Real servers for the demo, for development and for tests: PostgreSQL and a Redis-protocol server, from wheels.

`DATABASE_URL` and `REDIS_URL` in the environment win: then nothing is started here and those servers are used.
"""

from deploy.servers.postgres import Postgres
from deploy.servers.processes import Server, ServerError, free_port
from deploy.servers.roles import KINDS, Role, Roles, grant_tables, make_database, make_roles
from deploy.servers.valkey import Valkey

__all__ = [
    "KINDS",
    "Postgres",
    "Role",
    "Roles",
    "Server",
    "ServerError",
    "Valkey",
    "free_port",
    "grant_tables",
    "make_database",
    "make_roles",
]

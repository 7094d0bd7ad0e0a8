"""`python -m annotations account add|list|remove`."""

import argparse
import getpass
import secrets

from annotations.people.accounts import ROLES, accounts, add_account, remove_account
from vcs_demo.errors import UserError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the command `account` and what is under it."""
    about = "Add, list and remove the accounts of a team; with one or more the app asks everybody to sign in"
    account = commands.add_parser("account", help=about, description=f"{about}.")
    actions = account.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add an account, or give one a new role and password")
    add.add_argument("name")
    add.add_argument("--role", choices=ROLES, default=ROLES[0], help="default: %(default)s")
    add.add_argument("--generate", action="store_true", help="make a password and print it, once")
    add.set_defaults(run=_add)
    actions.add_parser("list", help="names and roles").set_defaults(run=_list)
    remove = actions.add_parser("remove", help="remove an account; its labels stay")
    remove.add_argument("name")
    remove.set_defaults(run=lambda options: remove_account(options.name))


def _add(options: argparse.Namespace) -> None:
    if options.generate:
        password = secrets.token_urlsafe(12)
    else:
        password = getpass.getpass(f"Password of {options.name}: ")
        if getpass.getpass("Once more: ") != password:
            raise UserError("The two passwords are not the same; nothing was changed.")
    add_account(options.name, options.role, password)
    if options.generate:
        print(f"{options.name} signs in with {password}")  # noqa: T201


def _list(options: argparse.Namespace) -> None:
    for name, role in accounts().items():
        print(f"{name}  {role}")  # noqa: T201

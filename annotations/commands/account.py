"""`python -m annotations account add|list|remove`."""

import getpass
import secrets

import click

from annotations.commands import command
from annotations.people.accounts import ROLES, accounts, add_account, remove_account
from vcs_demo.errors import UserError
from vcs_demo.terminal import SETTINGS


@click.group("account", context_settings=SETTINGS, epilog='Example: python -m annotations account add "Lan"')
def account_group() -> None:
    """Add, list or remove named accounts; with one or more the app asks everybody to sign in."""


@command("add", 'account add "Lan" --role adjudicator')
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="annotator", help="Each may do what the ones before may."
)
@click.option("--generate", is_flag=True, help="Make a password and print it, instead of asking.")
def add(name: str, role: str, generate: bool) -> None:
    """Add an account, or give one another role and password, which ends its sessions."""
    if generate:
        password = secrets.token_urlsafe(12)
    else:
        password = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("Once more: ") != password:
            raise UserError("The two passwords are not the same; nothing was changed.")
    former = accounts()
    account = add_account(name, role, password)
    if account in former:
        print(f"{account} has an account here already: its role and password were changed.")
    if generate:
        print(f"{account} signs in with {password}")


@command("list", "account list")
def list_accounts() -> None:
    """List names and roles."""
    for name, role in accounts().items():
        print(f"{name}  {role}")


@command("remove", 'account remove "Lan"')
@click.argument("name")
def remove(name: str) -> None:
    """Remove an account; its labels stay."""
    remove_account(name)


for one in (add, list_accounts, remove):
    account_group.add_command(one)

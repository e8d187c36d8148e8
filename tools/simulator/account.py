"""What a key may do, as each vendor tells it: the reads that send and change nothing.

`only-sending` is a key with the one right to send, `only-reading` one without it.
"""

from tools.simulator.exchange import Refused, Reply, Request, json_reply
from tools.simulator.ledger import Ledger

ONLY_SENDING = "only-sending"
ONLY_READING = "only-reading"

_SEND = {"sendgrid": "mail.send", "sequenzy": "transactional:send"}


def resend_domains(request: Request, _: Ledger) -> Reply:
    """`GET /domains`; a key that may only send is refused by name."""
    if request.bearer == ONLY_SENDING:
        words = "This API key is restricted to only send emails"
        error = {"statusCode": 401, "name": "restricted_api_key", "message": words}
        raise Refused(json_reply(401, error))
    return json_reply(200, {"object": "list", "has_more": False, "data": []})


def sendgrid_scopes(request: Request, _: Ledger) -> Reply:
    """`GET /v3/scopes`, which any key may ask for."""
    scopes = {
        ONLY_SENDING: [_SEND["sendgrid"]],
        ONLY_READING: ["stats.read"],
    }
    both = [_SEND["sendgrid"], "stats.read"]
    return json_reply(200, {"scopes": scopes.get(request.bearer, both)})


def sequenzy_account(request: Request, _: Ledger) -> Reply:
    """`GET /account` with the rights of the key that asks."""
    if request.bearer == ONLY_SENDING:
        words = "API key is missing required scopes: account:read"
        raise Refused(json_reply(403, {"success": False, "error": words}))
    lacking = [_SEND["sequenzy"]] if request.bearer == ONLY_READING else []
    rights = {
        "fullAccess": not lacking,
        "canSendLive": not lacking,
        "missingLiveDeliveryScopes": lacking,
        "roleRestrictedScopes": [],
        "liveDeliveryBlockedByRole": False,
    }
    account = {"success": True, "companies": [], "apiKeyPermissions": rights}
    return json_reply(200, account)

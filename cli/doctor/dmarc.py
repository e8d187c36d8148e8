"""DMARC policies: found as receivers find them, by walking up the domain (RFC 9989)."""

from collections.abc import Iterator

from attrs import frozen

from cli.doctor.resolver import Resolver

LONGEST_WALK = 8  # labels of a domain; of a longer one the walk skips those in the middle
POLICIES = ("none", "quarantine", "reject")


@frozen
class Policy:
    """What holds for a domain. `error` says why receivers cannot use it; None if they can."""

    name: str
    policy: str = ""
    error: str | None = None


def find_policy(resolver: Resolver, domain: str) -> Policy | None:
    """The policy that receivers apply to mail from `domain`; None if there is none at all.

    A record of the domain itself holds. Else that of the organizational domain does: the highest
    parent with a record, unless one says with `psd=` where the organization ends. Raises
    `DnsError`.
    """
    own = _policy_at(resolver, domain, subdomain=False)
    if own:
        return own
    found = None
    for parent in _parents(domain):
        policy = _policy_at(resolver, parent, subdomain=True)
        psd = _psd(resolver, parent)
        if psd == "y":  # a registry such as gov.uk; its policy is for those who have none
            return found or policy
        found = policy or found
        if psd == "n":
            break
    return found


def _parents(domain: str) -> Iterator[str]:
    labels = domain.split(".")[1:]
    if len(labels) >= LONGEST_WALK:
        labels = labels[-(LONGEST_WALK - 1) :]
    for start in range(len(labels)):
        yield ".".join(labels[start:])


def _records(resolver: Resolver, domain: str) -> list[str]:
    # Other TXT records may stand there, from a wildcard for example.
    texts = resolver.texts(f"_dmarc.{domain}")
    return [text for text in texts if "dmarc1" in text.partition(";")[0].lower()]


def _psd(resolver: Resolver, domain: str) -> str | None:
    return next((_tags(text).get("psd") for text in _records(resolver, domain)), None)


def _policy_at(resolver: Resolver, domain: str, *, subdomain: bool) -> Policy | None:
    name, records = f"_dmarc.{domain}", _records(resolver, domain)
    if not records:
        return None
    if len(records) > 1:
        return Policy(name, error=f"{name} has {len(records)} DMARC records; receivers use none")
    tags = _tags(records[0])
    if not records[0].startswith("v=DMARC1") or tags["v"] != "DMARC1":
        return Policy(name, error=f"{name} does not begin with v=DMARC1; (the case counts)")
    policy = tags.get("sp", tags.get("p", "")) if subdomain else tags.get("p", "")
    if not policy and tags.get("rua"):
        return Policy(name, "none")  # so says RFC 9989 of a record that only asks for reports
    if policy.lower() not in POLICIES:
        return Policy(name, error=f"{name} has no valid p= ({', '.join(POLICIES)})")
    return Policy(name, policy.lower())


def _tags(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in parts if name.strip()}

"""The email that everybody sends: 1.5 KB of HTML and its text, as a welcome or a receipt has."""

SENDER = "Acme <hello@acme.example.com>"
RECIPIENT = "ann@example.com"
SUBJECT = "Welcome, Ann"

_ROW = '<tr><td style="padding:4px 8px;color:#374151;font-size:14px">Line {0}</td><td>{0}</td></tr>'
HTML = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Welcome</title></head>'
    '<body style="margin:0;background:#f6f9fc;font-family:sans-serif"><h1>Welcome, Ann</h1>'
    f"<table>{''.join(_ROW.format(number) for number in range(14))}</table></body></html>"
)
TEXT = "Welcome, Ann\n\n" + "\n".join(f"Line {number} {number}" for number in range(14))

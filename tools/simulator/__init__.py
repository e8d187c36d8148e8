"""A local stand-in for the HTTP APIs of Sequenzy, Resend and SendGrid; sends nothing anywhere.

It imports nothing of the application, so that both can be wrong only independently.
"""

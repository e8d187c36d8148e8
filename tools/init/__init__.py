"""`make init NAME="Acme"`: makes a clone of this template a product of its own.

Name, sender, colours and a secret key; README, CHANGELOG and LICENSE; and without what the product
does not need. What can be left out stands in `offers/`, one file each.
"""

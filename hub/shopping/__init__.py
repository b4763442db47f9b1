"""Shopping on the customer's own terminal (rows B1 to B5): products, her list, payment, and what the exit will bring.

codes       product codes: EAN-13, JAN, EAN-8, UPC-A, GS1 Digital Link, free codes. Pure
totals      sums and tax in whole minor units. Pure
cart        a customer's list and what may be done with it. Pure
carts       her list in the database: each command once, the newest state to all her terminals
promise     what the exit would bring now, or what is missing: the exit's own rules on a sale that is rehearsed
payments    a payment from its beginning to its sale, or to its end without one
settlement  a list that a settlement device reads and pays
providers   who takes the money: the simulated one, and the store's POS server
exit_numbers the exit code as a number, for keypads and one-dimensional codes
noting      what was refused, in the trace of her visit
signing     calls signed with a shared secret: whose, when, once. Pure
products    `instore products import`
api         /member/api/cart/… and the provider's callback
"""

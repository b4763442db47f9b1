"""A clerk's handheld in a terminal: requests to serve a customer, shown large, answered with one key (rows A7, A10, A12, C6).

`alert_book` decides and knows no clock and no network; `inbox` turns bytes into alerts; `link` wraps paho-mqtt; `screen`
draws; `terminal` wires them. The web page `hub/pages/handheld/` does the same in JavaScript, and a test holds the two
books to the same answers.
"""

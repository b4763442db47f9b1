"""What a lane's display shows and says to the customer in front of it (row B10).

memory   what is remembered of the newest customer, and no longer than it may be (pure)
view     lane + memory + devices + call + now → one view: what stands there, what sounds (pure)
words    the lane's own words, in both languages; the hub's come with its decision
board    the views of all lanes of an agent, and who watches them
server   the page and its stream of views, over HTTP on loopback
page/    the page: ES modules without a build step
"""

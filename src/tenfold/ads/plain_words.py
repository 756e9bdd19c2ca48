"""Words that an ad may say without any fact: none of them states what a thing is, does, costs, or is better than.

Numbers, comparisons, denials, promises, times, places, and words as "new", "free", "only", "safe" or "quality" are
left out with care: an ad says them only where a fact does. ``tests/ads/test_copy_gate.py`` holds some of them out.
"""

_WORDS = """
a an the this that these those it its it's that's here's let's there's
you your yours yourself you'll you're we our ours us we're i me my they them their everyone someone
is are be being been am has have having had do does did can
of in on at to for from with into by about around along beside inside through across among toward towards
and or but so as when where how
here there together too also well very really truly simply please yes then
meet meeting see seeing look looking looks discover find finding explore choose choosing pick picking take taking
bring bringing wear wearing try enjoy enjoying love loved loves like give giving feel feeling go going come coming
visit begin beginning read reading shop shopping add adding share sharing welcome welcomes say saying think
let want wants know knowing imagine picture play playing walk walking cook cooking sit sitting live living stay staying
dress dressing treat treats call calls
home house kitchen garden desk table door window shelf
morning mornings evening evenings night nights afternoon weekend weekends moment moments way ways life style styles
look touch idea ideas choice choices pick picks story stories detail details friend friends family people mood
adventure adventures journey journeys trip trips travel travels hand hands smile
smiles joy pleasure fun color colour colors colours shape shapes design collection range page shop store love thing
things person companion routine wardrobe bag pocket
good great nice lovely beautiful pretty handsome handy cosy cozy quiet simple classic modern everyday little ready
happy own right timeless elegant stylish charming playful bold familiar casual thoughtful cheerful delightful wonderful
pleasant
"""

PLAIN_WORDS = frozenset(_WORDS.split()) - {"call", "calls", "like", "right", "had", "did", "bag", "yes"}

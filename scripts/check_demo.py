"""Checks the demo's ranking: each query's other half comes first, with the cosine that PyTorch finds for these weights."""
import json
import sys

# query -> (nearest photograph, its cosine computed with PyTorch)
EXPECTED = {
    "Blender_Suzanne1.jpg": ("Blender_Suzanne2.jpg", 0.967),
    "aero1.jpg": ("aero3.jpg", 0.884),
    "aloeL.jpg": ("aloeR.jpg", 0.953),
    "basketball1.png": ("basketball2.png", 0.972),
    "graf1.png": ("graf3.png", 0.856),
    "imageTextN.png": ("imageTextR.png", 0.786),
    "left01.jpg": ("right01.jpg", 0.907),
    "leuvenA.jpg": ("leuvenB.jpg", 0.893),
    "rubberwhale1.png": ("rubberwhale2.png", 0.992),
}

found = {}
with open(sys.argv[1]) as lines:
    for line in lines:
        row = json.loads(line)
        found[row["query"]] = (row["ranking"][0]["path"], row["ranking"][0]["score"])

failed = False
for query, (nearest, cosine) in EXPECTED.items():
    got, score = found.get(query, ("nothing", float("nan")))
    ok = got == nearest and abs(score - cosine) <= 0.0006
    failed |= not ok
    print(f"  {'ok   ' if ok else 'WRONG'} {query:22} -> {got:22} {score:.3f}" + ("" if ok else f"   (PyTorch: {nearest} {cosine:.3f})"))
sys.exit(1 if failed else 0)

"""Keeps the generated requests short, without touching which of them are right and which are wrong.

A value that the interface accepts, but that would take long, is folded into the first CAPS[name] + 1 values of its
range, which it accepts as well. Values beyond the range stay as they are: they must be refused, which takes no time.
"""

import schemathesis

# A debug build sums a million numbers, or draws a hundred thousand, in some milliseconds.
CAPS = {"iterations": 1_000_000, "count": 100_000, "ms": 50}


def folded(value, cap, maximum):
    if isinstance(value, list):
        return [folded(each, cap, maximum) for each in value]
    if isinstance(value, bool):
        return value
    # What the server would read as a number: ASCII digits. Python refuses to read very many; so does the server.
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 100):
        return value
    if not isinstance(value, (int, str)):
        return value
    number = int(value)
    if not cap < number <= maximum:
        return value
    return type(value)(number % (cap + 1))


@schemathesis.hook
def before_call(context, case, kwargs):
    maxima = {
        parameter.definition["name"]: parameter.definition["schema"]["maximum"]
        for parameter in case.operation.query
        if parameter.definition["name"] in CAPS
    }
    for name, maximum in maxima.items():
        if case.query and name in case.query:
            case.query[name] = folded(case.query[name], CAPS[name], maximum)

"""What symbols stand for: numbers, or cells of a table."""
from corruption import need


def values_of(description):
    """What takes the symbols of a datum and gives what they stand for, in the order of the data file: a number, or a
    cell's text and whether it is a number; None where there is no such thing."""
    (kind, options), = description.get("values", {"numbers": {"lowest": 0, "step": 1}}).items()
    return {"numbers": numbers, "green_first": green_first, "columns": columns}[kind](options)


def numbers(options):
    return lambda x: [options["lowest"] + options["step"] * v for v in x]


def green_first(options):
    top, channels = options["levels"] - 1, options["channels"]

    def values(x):
        out = []
        for at in range(0, len(x), channels):
            green, red, blue, *fourth = x[at:at + channels]
            out += [red - top + green, green, blue - top + green, *fourth]
        return [v if 0 <= v <= top else None for v in out]
    return values


def columns(options):
    cells = [cells_of(column) for column in options]
    return lambda x: [cell(v) for cell, v in zip(cells, x)]


def cells_of(column):
    texts, written = column.get("texts", []), column.get("numbers")

    def cell(symbol):
        if symbol < len(texts):
            return texts[symbol], False
        k = symbol - len(texts)
        if not written or k >= written["count"]:
            return None
        return decimal(written, written["lowest"] + written["step"] * k), True
    return cell


def decimal(written, number):
    digits, e = str(abs(number)), written["decimals"]
    digits = digits.rjust(e + 1, "0")
    whole, fraction = digits[:len(digits) - e], digits[len(digits) - e:]
    if written["zeros"] != "kept":
        kept = fraction[:written["zeros"] == "one"]
        fraction = kept + fraction[len(kept):].rstrip("0")
    need(written["zeros"] in ("kept", "cut", "one"), "zeros")
    return ("-" if number < 0 else "") + whole + ("." + fraction if fraction else "")

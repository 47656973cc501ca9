#!/usr/bin/python3
"""Makes the workbooks beside it, as openpyxl and LibreOffice write them.

They are made once and committed: neither program is needed to run the tests. To make them anew, on
Debian: apt-get install python3-openpyxl python3-uno libreoffice-calc, then run this in its folder. What is new
then differs in dates and versions alone.
"""

import datetime
import os
import shutil
import subprocess
import tempfile
import time

import openpyxl
import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException
from openpyxl.worksheet.filters import FilterColumn, Filters

IMAGE = "18d0ee2e-4d57-4f40-9b56-03c1773b5831"
HEADER = ["service_id", "image", "password", "note"]
HERE = os.path.dirname(os.path.abspath(__file__))


def rows():
    return [[5113119 + n, IMAGE, f"Mypassword{n}", f"row {n}"] for n in range(3)]


def book(change=None):
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "fleet"
    for row in [HEADER] + rows():
        sheet.append(row)
    if change:
        change(made, sheet)
    return made


def texts(_, sheet):
    for row in range(2, 5):
        sheet.cell(row, 1).value = str(sheet.cell(row, 1).value)
        sheet.cell(row, 1).quotePrefix = True


def formulas(_, sheet):
    for row in range(2, 5):
        sheet.cell(row, 1).value = f"=5113117+{row}"


def hidden(_, sheet):
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True


def filtered(_, sheet):
    sheet.auto_filter.ref = "A1:D4"
    sheet.auto_filter.filterColumn.append(FilterColumn(colId=3, filters=Filters(filter=["row 1"])))
    for row in (2, 4):
        sheet.row_dimensions[row].hidden = True


def sheets(made, _):
    made.create_sheet("other").append(HEADER)


def merged(_, sheet):
    sheet.merge_cells("C2:C3")


def kinds(_, sheet):
    sheet["A2"] = datetime.date(2024, 3, 1)
    sheet["A3"] = True
    sheet["A4"] = 5113121.5


def write_only():
    made = openpyxl.Workbook(write_only=True)
    sheet = made.create_sheet("fleet")
    for row in [HEADER] + rows():
        sheet.append(row)
    return made


def convert(source, target, how):
    """LibreOffice reads `source` and writes it anew, calculated."""
    with tempfile.TemporaryDirectory() as folder:
        suffix = how.split(":")[0]
        command = ["soffice", "--headless", "--convert-to", how, "--outdir", folder, source]
        subprocess.run(command, check=True, capture_output=True)
        stem = os.path.splitext(os.path.basename(source))[0]
        shutil.move(os.path.join(folder, f"{stem}.{suffix}"), os.path.join(HERE, target))


def encrypt(source, target):
    """LibreOffice writes `source` anew, protected by a password."""
    with tempfile.TemporaryDirectory() as profile:
        pipe = f"pipe,name=refleet{os.getpid()};urp;StarOffice.ComponentContext"
        office = subprocess.Popen(
            ["soffice", "--headless", f"-env:UserInstallation=file://{profile}", f"--accept={pipe}"]
        )
        local = uno.getComponentContext()
        create = local.ServiceManager.createInstanceWithContext
        resolver = create("com.sun.star.bridge.UnoUrlResolver", local)
        for _ in range(120):
            try:
                context = resolver.resolve(f"uno:{pipe}")
                break
            except NoConnectException:
                time.sleep(0.5)
        create = context.ServiceManager.createInstanceWithContext
        desktop = create("com.sun.star.frame.Desktop", context)
        url = uno.systemPathToFileUrl(os.path.join(HERE, source))
        document = desktop.loadComponentFromURL(url, "_blank", 0, (value("Hidden", True),))
        target = uno.systemPathToFileUrl(os.path.join(HERE, target))
        document.storeToURL(target, (value("FilterName", "calc8"), value("Password", "secret")))
        document.close(True)
        desktop.terminate()
        office.wait()


def value(name, what):
    return PropertyValue(Name=name, Value=what)


def main():
    os.chdir(HERE)
    made = {
        "plain": book(),
        "texts": book(texts),
        "formulas": book(formulas),
        "hidden": book(hidden),
        "sheets": book(sheets),
        "merged": book(merged),
        "kinds": book(kinds),
        "write-only": write_only(),
    }
    for name, workbook in made.items():
        workbook.save(f"openpyxl-{name}.xlsx")
    book(filtered).save("filtered.xlsx")
    excel = "xlsx:Calc MS Excel 2007 XML"
    for name in ["plain", "formulas", "hidden", "kinds"]:
        for how in [excel, "ods"]:
            convert(f"openpyxl-{name}.xlsx", f"libreoffice-{name}.{how.split(':')[0]}", how)
    convert("openpyxl-merged.xlsx", "libreoffice-merged.ods", "ods")
    for how in [excel, "ods"]:
        convert("filtered.xlsx", f"libreoffice-filtered.{how.split(':')[0]}", how)
    os.remove("filtered.xlsx")
    convert("openpyxl-plain.xlsx", "libreoffice-strict.xlsx", "xlsx:Calc Office Open XML")
    convert("openpyxl-plain.xlsx", "libreoffice-old.xls", "xls")
    encrypt("openpyxl-plain.xlsx", "libreoffice-password.ods")


if __name__ == "__main__":
    main()

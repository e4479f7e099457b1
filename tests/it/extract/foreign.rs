//! What is no export at all is told by its first bytes, and never read as one without records.

use super::{check, fails, spec};

#[test]
fn what_is_no_export_says_so() {
    let told = "object `object` is no export that can be read: ";
    for (bytes, why) in [
        (&b"Obj\x01\x04\x14avro.codec\x08null"[..], "it is Avro; export it as Parquet or JSON"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "it is an Excel workbook of before 2007; save it as .xlsx or CSV",
        ),
        (b"%PDF-1.7\n", "it is a PDF"),
        (b"BZh91AY&SY", "it is packed with bzip2; gzip, zip and zstd are read"),
        (b"\xfd7zXZ\0", "it is packed with xz; gzip, zip and zstd are read"),
        (b"7z\xbc\xaf\x27\x1c", "it is a 7-Zip archive; gzip, zip and zstd are read"),
        (
            b"\xef\xbb\xbf\n<html><body>403 Forbidden</body></html>",
            "it is HTML or XML, such as the answer of a server to a failed download",
        ),
    ] {
        for format in ["", "kind = \"csv\""] {
            fails(&spec(format, "id name"), bytes, &format!("{told}{why}"));
        }
    }
}

#[test]
fn carets_and_backquotes_part_cells_too() {
    let columns = spec("", "Id Name Email");
    check(&columns, "Id^Name^Email\n1^\"a^b\"^x\n", "1: 1|a^b|x");
    check(&columns, "\"Id\"`\"Name\"`\"Email\"\n1`O^Neil`x\n", "1: 1|O^Neil|x");
}

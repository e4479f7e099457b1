//! CSV and its kin.

use cxmart::catalog::spec::{Format, SourceSpec};

use super::{check, fails, small_limits, spec, spec_of};

#[test]
fn cells_are_found_by_name_and_kept_as_they_are() {
    let two = spec("", "id name");
    check(&two, "id,name\n1,Ana\n2,\n", "1: 1|Ana\n2: 2|");
    check(&two, "name,extra,id\r\n Ana ,x,007\r\n", "1: 007| Ana ");
    check(&two, "id\n4.50E+12\n", "1: 4.50E+12|~");
    check(&two, "\u{feff}id;name\n1;B\u{f8}rge\n", "1: 1|B\u{f8}rge");
    check(&two, "id\tname\n1\ta,b\n", "1: 1|a,b");
    check(&two, "id|name\n1|a,b\n", "1: 1|a,b");
    check(&two, "id\u{1}name\n1\u{1}\"a\n", "1: 1|\"a");
    check(&two, "sep=;\nid;name\n1;x\n", "1: 1|x");
    check(&two, "id,name\n\n1,a\n\r\n2,b", "1: 1|a\n2: 2|b");
    check(&two, "id,name\r1,a\r2,b\r", "1: 1|a\n2: 2|b");
    check(&two, "", "");
    check(&two, "id,name\n", "");
}

#[test]
fn header_names_are_matched_exactly_first_then_without_case_and_blanks() {
    let mail = spec("", "email=Email|E-mail");
    check(&mail, "EMAIL,Email\na,b\n", "1: b");
    check(&mail, " e-mail ,id\na,1\n", "1: a");
    check(&mail, "E-mail,Email\na,\nc,d\n", "1: a\n2: d");
    check(&spec("", "a b=a__2"), "a,a\n1,2\n", "1: 1|2");
    check(&spec("", "dotted=name.first"), "id,name.first\n1,Ana\n", "1: Ana");
}

#[test]
fn quotes_hold_or_the_line_is_a_reject() {
    let two = spec("", "id name");
    check(&two, "id,name\n1,\"a, \"\"b\"\"\"\n", "1: 1|a, \"b\"");
    check(&two, "id,name\n\"1\",\"\"\n", "1: 1|");
    check(&two, "id,name\n1,5\" pipe\n", "1: 1|5\" pipe");
    assert_eq!(super::read(b"id,name\n1,\"a\r\nb\"\n2,c\n", &two), "1: 1|a\r\nb\n2: 2|c\n");
    // Readers that forgive give `bad\n6,ok"` here, and lose a line.
    check(
        &two,
        "id,name\n5,\"bad\n6,\"ok\"\n7,c\n",
        "2: 6|ok
         3: 7|c
         1! malformed_quotes 5,\"bad",
    );
    check(&two, "id,name\n1,\"a\n2,b\n", "2: 2|b\n1! malformed_quotes 1,\"a");
    check(&two, "id,name\n1,\"a\" b\n2,b\n", "2: 2|b\n1! malformed_quotes 1,\"a\" b");
}

#[test]
fn ragged_rows_are_rejects_with_their_text_masked() {
    check(
        &spec("", "id name"),
        "id,name\n1,ana.perez@example.com,+4531221100\n2\n3,c\n",
        "3: 3|c
         1! ragged_row 1,***@***,+##########
         2! ragged_row 2",
    );
    let long = format!("id,name\n{}x\n", "a,".repeat(900));
    let text = super::read(long.as_bytes(), &spec("", "id name"));
    assert_eq!(text, format!("1! ragged_row {}\n", "a,".repeat(100)));
}

#[test]
fn headers_of_no_one_and_three_rows_with_preamble_and_footer() {
    check(
        &spec("header_rows = 0", "at id"),
        "2024-05-28 09:01\u{1}C-1\n2024-05-28 09:02\u{1}C-2\n",
        "1: 2024-05-28 09:01|C-1\n2: 2024-05-28 09:02|C-2",
    );
    // A line that names all of the key is a header, whatever its order; a column that only a header
    // places is read there and claims no place elsewhere.
    let named = spec_of(
        "[[column]]\nname = \"kind\"\n[[column]]\nname = \"late\"\nnamed_only = true\n\
         [[column]]\nname = \"value\"\n",
    );
    let named = SourceSpec {
        key: vec!["id".into(), "kind".into()],
        format: Format { header_rows: Some(0), ..Format::default() },
        ..named
    };
    check(&named, "1\u{1}a\u{1}x\u{1}new\n2\u{1}b\u{1}y\u{1}new\n", "1: 1|a|~|x\n2: 2|b|~|y");
    check(&named, "late|KIND|other|id|value\n1|a|-|7|x\n", "1: 7|a|1|x");
    check(&named, "id|b|y\n", "1: id|b|~|y");
    // An older export with fewer columns is not ragged; a line that differs from it is.
    check(&spec("header_rows = 0", "a b c"), "1,2\n3\n", "1: 1|2|~\n2! ragged_row 3");
    check(
        &spec("header_rows = 2", "id=Respondent chat=Channels? mail=Channels?:.E-mail"),
        "Respondent,Channels?,\n,Chat,E-mail\n7,Chat,\n",
        "1: 7|Chat|~",
    );
    let channels = "[[column]]\nname = \"mail\"\nfrom = [\"Which channels?: E-mail\"]\n";
    let text = format!("description = \"t\"\n[format]\nheader_rows = 2\n{channels}");
    let named = cxmart::catalog::SourceSpec::parse("sql/stage/t/t.toml", &text).expect("a spec");
    check(&named, "Which channels?,,\nChat,Phone,E-mail\n,,x\n", "1: x");
    check(
        &spec("header_rows = 3", "at=StartDate nps=QID1"),
        "StartDate,QID1\nStart Date,\"Why\ndid you?\"\n\"{\"\"ImportId\"\":\"\"a\"\"}\",\"{}\"\n2024,9\n",
        "1: 2024|9",
    );
    check(
        &spec("preamble_rows = 2\nfooter = [\"Total\"]", "campaign cost"),
        "Campaign report\n\"May 1, 2024\n\nCampaign,Cost\nTotal Recall,5\nb,1\nTotal: Account,6\nTotal: Search,6\n",
        "1: Total Recall|5
         2: b|1
         2 skipped",
    );
}

#[test]
fn a_lost_column_stops_the_object_and_no_rows_do_not() {
    let keyed = spec("", "id* name");
    fails(
        &keyed,
        "name\na\n",
        "object `object` lacks the header or member `id` that its spec requires, by the name `id`",
    );
    check(&keyed, "name\n", "");
    fails(
        &keyed,
        "Not found\n404\n",
        "object `object` lacks the header or member `id` that its spec requires, by the name `id`",
    );
    for unknown in ["Not found\n404\n", "Not found\n", "Not found"] {
        fails(
            &spec("", "id"),
            unknown,
            "object `object` cannot be decoded: its header has no column that the spec names (`id`)",
        );
    }
    check(&spec("", "id"), "\n\n", "");
    let wide: String = (0..51).map(|i| format!("c{i},")).collect();
    fails(&spec("", "c0"), wide, "object `object` passes the limit `columns_max` of 50");
}

#[test]
fn a_line_that_is_too_long_is_one_reject() {
    let two = spec("", "id name");
    let text = format!("id,name\n1,{}\n2,b\n", "x".repeat(300_000));
    check(&two, &text, &format!("2: 2|b\n1! record_too_large 1,{}", "x".repeat(198)));
    // A quote that nothing closes is not a long record.
    let text = format!("id,name\n1,\"a\n{}", "2,b\n".repeat(9_000));
    let shown = super::read(text.as_bytes(), &two);
    assert!(shown.ends_with("9001: 2|b\n1! malformed_quotes 1,\"a\n"));
    let text = format!("id,name\n1,a\n2,{}", "x".repeat(300_000));
    check(&two, &text, &format!("1: 1|a\n2! record_too_large 2,{}", "x".repeat(198)));
    assert_eq!(small_limits().record_bytes_max, 10_000);
}

#[test]
fn encodings_are_marked_strict_or_given() {
    let two = spec("", "id name");
    let danish = "id;name\n1;B\u{f8}rge \u{1f600}\n2;\u{c5}se\n";
    let utf16 = |big: bool| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(danish.encode_utf16());
        units.flat_map(|u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    let expect = "1: 1|B\u{f8}rge \u{1f600}\n2: 2|\u{c5}se";
    check(&two, utf16(false), expect);
    check(&two, utf16(true), expect);
    let latin = b"id;name\n1;B\xf8rge\n2;Ase\n";
    check(&two, latin, "2: 2|Ase\n1! invalid_utf8 1;B\u{fffd}rge");
    check(&spec("encoding = \"windows-1252\"", "id name"), latin, "1: 1|B\u{f8}rge\n2: 2|Ase");
    check(
        &spec("encoding = \"utf-8\"", "id name"),
        latin,
        "1: 1|B\u{fffd}rge
         2: 2|Ase
         1? replaced_characters 1;B\u{fffd}rge",
    );
    // Bytes of two cells that together would be a letter are none.
    check(&two, b"id;name\n1\xc3;\xb8\n", "1! invalid_utf8 1\u{fffd};\u{fffd}");
    let bare: Vec<u8> = utf16(false).split_off(2);
    check(&spec("encoding = \"utf-16le\"", "id name"), bare, expect);
    fails(
        &spec("encoding = \"runes\"", "id"),
        "id\n1\n",
        "`runes` is not an encoding that is known",
    );
}

#[test]
fn the_same_record_again_is_a_duplicate_only_where_there_is_a_key() {
    let text = "id,name,at\n1,a,x\n1,a,y\n1,b,x\n1,a,z\n";
    check(&spec("", "id! name"), text, "1: 1|a\n3: 1|b\n2 duplicate");
    check(&spec("", "id name"), text, "1: 1|a\n2: 1|a\n3: 1|b\n4: 1|a");
    // Nothing and an empty text are two things; neither may run over into the next cell.
    check(
        &spec("kind = \"ndjson\"", "id! name"),
        "{\"id\":\"\"}\n{\"name\":\"\"}\n",
        "1: |~\n2: ~|",
    );
}

#[test]
fn json_in_a_cell_is_entered_by_path() {
    check(
        &spec("", "id ext=metadata.external_id list=metadata.tags whole=metadata"),
        "id,metadata\n1,\"{\"\"external_id\"\":\"\"a\"\",\"\"tags\"\":[1]}\"\n2,\"\"\"{\\\"\"external_id\\\"\":7}\"\"\"\n3,none\n",
        "1: 1|a|[1]|{\"external_id\":\"a\",\"tags\":[1]}
         2: 2|7|~|\"{\\\"external_id\\\":7}\"
         3: 3|~|~|none",
    );
    check(
        &spec("envelope = \"_airbyte_data\"", "id* at=_airbyte_extracted_at"),
        "_airbyte_extracted_at,_airbyte_data\n17,\"{\"\"id\"\":5}\"\n18,oops\n",
        "1: 5|17
         2! malformed_json 18,oops",
    );
}

#[test]
fn runs_of_blanks_part_cells_where_the_spec_says_so() {
    let spec =
        spec("kind = \"csv\"\ndelimiter = \"whitespace\"\nheader_rows = 0", "id day n value");
    let text =
        " 0004 19970101  2   29.33\n0021\t19970102 11 \t3.5  \n 7 8 9\n1 2 3 4 5\n\"a b\" 1 2\n";
    check(
        &spec,
        text,
        "1: 0004|19970101|2|29.33\n2: 0021|19970102|11|3.5\n5: \"a|b\"|1|2\n\
         3! ragged_row  7 8 9\n4! ragged_row 1 2 3 4 5",
    );
}

//! Small pieces in the shapes that systems export.

use super::containers::{gzip, zipped};
use super::{check, spec};

#[test]
fn documents_of_apis() {
    check(
        &spec("kind = \"json\"\nlist = \"data\"", "response_id answer responded"),
        r#"{"success":true,"total":"2","data":[
           {"response_id":"1","answer":"9","responded":"1716890123"},
           {"response_id":"2","answer":null,"responded":"0"}],"totalpages":"1"}"#,
        "1: 1|9|1716890123\n2: 2|~|0",
    );
    check(
        &spec("list = \"data.data\"", "id wait=waitTime"),
        "{\"data\":{\"page\":0,\"count\":2,\"data\":[\n{\"id\":1,\"waitTime\":\"35\"},\n{\"id\":2}]}}",
        "1: 1|35\n2: 2|~",
    );
    check(
        &spec("", "id=AnswerSetId group=BackgroundData.Kundegruppe first=Answers.0.Text"),
        r#"[{"AnswerSetId":7781201,"Answers":[{"QuestionId":1,"Text":"9"}],"BackgroundData":{"Kundegruppe":"VIP"}}]"#,
        "1: 7781201|VIP|9",
    );
    check(
        &spec("", "ref=customer.order_ref rating=service.rating.rating"),
        r#"{"summary":{"meta":{"count":1}},"reviews":[{"customer":{"order_ref":"T-5001"},"service":{"rating":{"rating":"5.0"}}}]}"#,
        "1: T-5001|5.0",
    );
}

#[test]
fn lines_of_json() {
    // A customer is an id or an object; a rating is null or an object.
    check(
        &spec("", "id customer=customer.id|customer amount"),
        r#"{"id":"ch_1","customer":"cus_1","amount":1999}
           {"id":"ch_2","customer":{"id":"cus_2","email":"a@example.com"},"amount":500}
           {"id":"ch_3","customer":null,"amount":0}"#,
        "1: ch_1|cus_1|1999\n2: ch_2|cus_2|500\n3: ch_3|~|0",
    );
    check(
        &spec(
            "each = \"event_params\"",
            "at=event_timestamp name=event_name key=@.key value=@.value.string_value|@.value.int_value",
        ),
        r#"{"event_timestamp":"1716887564123456","event_name":"purchase","event_params":[{"key":"ga_session_id","value":{"int_value":"1716887000"}},{"key":"engaged","value":{"string_value":"1"}}]}
           {"event_timestamp":"1716887564123457","event_name":"scroll","event_params":[]}"#,
        "1: 1716887564123456|purchase|ga_session_id|1716887000
         1: 1716887564123456|purchase|engaged|1
         2: 1716887564123457|scroll|~|~",
    );
    check(
        &spec("envelope = \"_airbyte_data\"", "id mail=properties.email at=_airbyte_extracted_at"),
        r#"{"_airbyte_raw_id":"26d7","_airbyte_extracted_at":"1717236605000","_airbyte_meta":{"changes":[]},"_airbyte_data":{"id":"78971951","properties":{"email":"ana.perez@example.com"}}}
           {"_airbyte_extracted_at":1717236605001,"_airbyte_data":{"id":"78971951","properties":{}}}"#,
        "1: 78971951|ana.perez@example.com|1717236605000\n2: 78971951|~|1717236605001",
    );
    let event = |id: &str| {
        gzip(format!("{{\"$insert_id\":\"{id}\",\"amplitude_id\":75805000264}}\n").as_bytes())
    };
    check(
        &spec("", "id=$insert_id who=amplitude_id"),
        zipped(&[
            ("187520/-189524_2024-05-28_9.json.gz", &event("m-1")),
            ("187520/187520_2024-05-28_9#1.json.gz", &event("a1b2-1")),
        ]),
        "1: m-1|75805000264\n2: a1b2-1|75805000264",
    );
}

#[test]
fn tables_of_exports() {
    check(
        &spec("header_rows = 3", "id=ResponseId nps=QID1 why=QID2_TEXT"),
        "ResponseId,QID1,QID2_TEXT\nResponse ID,How likely?,\"Why did you\nchoose that score?\"\n\
         \"{\"\"ImportId\"\":\"\"_recordId\"\"}\",\"{\"\"ImportId\"\":\"\"QID1\"\"}\",\"{\"\"ImportId\"\":\"\"QID2_TEXT\"\"}\"\n\
         R_1,9,\"Fast, thanks\"\n",
        "1: R_1|9|Fast, thanks",
    );
    check(
        &spec("", "id=AnswerSetId score=2.|score2 why=Hvorfor?|hvorfor"),
        "AnswerSetId;score2;Hvorfor?\n7781201;4,5;\"Rask hjelp; hyggelig\"\n7781202;;\n",
        "1: 7781201|4,5|Rask hjelp; hyggelig\n2: 7781202||",
    );
    let soh = "2024-05-28 09:01:00.000000\u{1}1111\u{1}email_id\u{1}ana \"x\n";
    check(
        &spec("header_rows = 0", "entrytime identity_id kind value"),
        gzip(soh.as_bytes()),
        "1: 2024-05-28 09:01:00.000000|1111|email_id|ana \"x",
    );
    // Order columns stand on an order's first line only: the lines are records as they are.
    check(
        &spec("", "name=Name total=Total sku=sku|lineitem_sku"),
        "\u{feff}Name,Email,Total,Lineitem_SKU\n#1042,a@example.com,123.45,A-1\n#1042,a@example.com,,B-2\n",
        "1: #1042|123.45|A-1\n2: #1042||B-2",
    );
    check(
        &spec("", "id dispute=evidence.customer_name"),
        "id,evidence\ndp_1,\"\"\"{\\\"\"customer_name\\\"\":\\\"\"Ana\\\"\"}\"\"\"\n",
        "1: dp_1|Ana",
    );
}

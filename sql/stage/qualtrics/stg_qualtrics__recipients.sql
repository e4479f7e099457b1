-- One row per response that says who gave it.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_qualtrics__survey_responses
    where coalesce(email, external_id) is not null

),

mapped as (

    select
        record_id,
        attributes,
        response_id as source_id,
        coalesce(modified_at, recorded_at) as source_updated_at,
        extracted_at,
        is_deleted,
        coalesce(status_text in ('Survey Preview', 'Survey Test', 'Spam', 'Possible Spam', '1', '2', '8', '9'), false) as is_test,
        external_id,
        email,
        first_name,
        last_name,
        lower(substr(language, 1, 2)) as language,
        recorded_at as last_seen_at
    from raw

)

select * from mapped

-- One row per feedback that says who gave it; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_feedier__feedback

),

mapped as (

    select
        record_id,
        -- Feedback is anonymous unless an attribute says who gave it.
        coalesce('id:' || customer_id, 'email:' || lower(email), 'phone:' || phone) as source_id,
        customer_id as external_id,
        email,
        phone,
        full_name
    from raw
    where
        coalesce(answer_place, 1) = 1
        and (customer_id is not null or email is not null or phone is not null)

)

select * from mapped

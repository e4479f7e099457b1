-- One row per id that was merged into a contact, and per further e-mail address of it.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_hubspot__contacts

),

lists (list) as (

    values ('object'), ('vid'), ('email')

),

digits (digit) as (

    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15)

),

-- HubSpot merges at most 250 contacts into one.
places as (

    select ones.digit + sixteens.digit * 16 + 1 as place
    from digits as ones
    cross join digits as sixteens

),

filled as (

    select
        raw.record_id,
        raw.account,
        raw.contact_id,
        raw.updated_at,
        raw.extracted_at,
        raw.is_archived,
        lists.list,
        case lists.list
            when 'object' then raw.merged_object_ids
            when 'vid' then raw.merged_vids
            else raw.additional_emails
        end as texts
    from raw
    cross join lists

),

counted as (

    select
        *,
        length(texts) - length(replace(texts, ';', '')) + 1 as count_texts
    from filled
    where texts is not null

),

-- `id` or `id:epoch`; an address has no colon
split as (

    select
        counted.*,
        places.place,
        trim(split_part(split_part(counted.texts, ';', places.place), ':', 1)) as other,
        trim(split_part(split_part(counted.texts, ';', places.place), ':', 2)) as epoch
    from counted
    inner join places on places.place <= counted.count_texts

),

named as (

    select
        *,
        case when list = 'email' then 'email' else 'merge' end as what,
        case when list = 'email' then lower(other) else other end as named,
        case
            when length(epoch) = 13 and try_cast(epoch as bigint) between 946684800000 and 4102444799999
                then
                    cast('1970-01-01T00:00:00Z' as timestamp with time zone)
                    + cast(epoch || ' milliseconds' as interval)
        end as told_at
    from split
    where other <> '' and other <> contact_id

),

-- the list of ids alone has no times
dated as (

    select
        *,
        max(told_at) over (partition by record_id, what, named) as stated_at
    from named

),

mapped as (

    select distinct
        record_id,
        contact_id || ':' || what || ':' || named as source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_archived, false) as is_deleted,
        'crm_id' as left_type,
        'hubspot:' || account as left_namespace,
        contact_id as left_value,
        case when what = 'email' then 'email' else 'crm_id' end as right_type,
        case when what = 'email' then '' else 'hubspot:' || account end as right_namespace,
        named as right_value,
        case when what = 'email' then 'alias' else 'merge' end as kind,
        stated_at,
        case when place = 256 and count_texts > 256 then 'too_many_values' end as reject_rule
    from dated

)

select * from mapped

-- One row per client id of the web analytics that checkout left in an order of an export by hand.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select
        *,
        record_id - record_id % 1099511627776 as object_id
    from raw_shopify__orders_ui

),

gathered as (

    select
        min(record_id) as record_id,
        coalesce(max(order_id), name) as order_id,
        max(email) as email,
        max(ga_account) as ga_account,
        max(
            -- `google-clientID: 1234567890.1716880000`, one attribute a line
            case
                when note_attributes like '%' || ga_attribute || ':%'
                    then trim(
                        split_part(
                            split_part(note_attributes, ga_attribute || ':', 2), chr(10), 1
                        )
                    )
            end
        ) as client_id,
        min(created_at) as created_at
    from raw
    group by object_id, name

),

mapped as (

    select
        record_id,
        order_id || ':' || client_id as source_id,
        'email' as left_type,
        '' as left_namespace,
        email as left_value,
        'cookie' as right_type,
        'ga4:' || ga_account as right_namespace,
        client_id as right_value,
        'alias' as kind,
        created_at as stated_at
    from gathered
    where
        client_id is not null
        and client_id <> ''
        and email is not null
        and order_id not like '%E+%'

)

select * from mapped

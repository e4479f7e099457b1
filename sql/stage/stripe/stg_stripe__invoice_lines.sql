-- One row per line of an invoice.
-- grain: source_id
-- canonical: order_lines
with

raw as (

    select * from raw_stripe__invoices__lines

),

mapped as (

    select
        record_id,
        coalesce(line_id, invoice_id || ':' || cast(place as string)) as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        not coalesce(is_live, true) as is_test,
        invoice_id as order_source_id,
        place as line_number,
        title,
        quantity,
        case
            when quantity > cast(0 as decimal(18, 4))
                then cast(cast(amount as double) / cast(quantity as double) as decimal(18, 4))
            else amount
        end as unit_price,
        upper(currency) as currency,
        product_id as product_source_id
    from raw

)

select * from mapped

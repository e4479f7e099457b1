-- One row per line of an invoice, cancelled ones (C…) with negative quantities.
-- grain: record_id
-- canonical: order_lines
with

raw as (

    select * from raw_online_retail__lines

),

lines as (

    select
        record_id,
        cast(null as string) as source_id,
        invoice_no as order_source_id,
        stock_code as sku,
        line_text as title,
        quantity,
        unit_price,
        'GBP' as currency
    from raw

)

select * from lines

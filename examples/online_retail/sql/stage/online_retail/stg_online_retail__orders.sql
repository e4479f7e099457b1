-- One row per invoice of a customer. What counts as bought are lines with a quantity and a price,
-- both above zero; an invoice whose number starts with C takes things back.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_online_retail__lines

),

lines as (

    select
        record_id,
        invoice_no,
        customer_no,
        country,
        invoiced_at,
        quantity * unit_price as amount
    from raw
    where
        customer_no is not null
        and unit_price > cast(0 as decimal(18, 4))
        and (
            (
                invoice_no not like 'C%'
                and quantity > cast(0 as decimal(18, 4))
            )
            or (
                invoice_no like 'C%'
                and quantity < cast(0 as decimal(18, 4))
            )
        )

),

invoices as (

    select
        min(record_id) as record_id,
        invoice_no as source_id,
        customer_no as customer_source_id,
        min(country) as country,
        cast(sum(amount) as decimal(18, 4)) as total,
        'GBP' as currency,
        min(invoiced_at) as placed_at
    from lines
    group by
        invoice_no,
        customer_no

)

select
    record_id,
    source_id,
    customer_source_id,
    country,
    total,
    currency,
    placed_at,
    'placed' as status
from invoices

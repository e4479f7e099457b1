-- How many lines and customers are left of the raw file by the usual cleaning.
-- grain: rule
with

lines as (

    select
        order_source_id,
        quantity * unit_price as amount
    from current_order_lines
    where
        quantity > cast(0 as decimal(18, 4))
        and unit_price > cast(0 as decimal(18, 4))
        and order_source_id not like 'C%'

),

orders as (

    select
        source_id,
        customer_source_id
    from current_orders

)

select
    'clean' as rule,
    count(*) as n_lines,
    count(distinct orders.source_id) as n_invoices,
    count(distinct orders.customer_source_id) as n_customers,
    cast(sum(lines.amount) as decimal(18, 4)) as revenue
from lines
inner join orders on lines.order_source_id = orders.source_id

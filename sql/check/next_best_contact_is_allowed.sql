-- Each row is a contact by a channel that the person has not allowed.
with

granted as (

    select distinct
        customer_id,
        channel
    from customer_consents
    where
        is_granted
        and (
            (purpose = 'email_marketing' and channel = 'email')
            or (purpose in ('sms', 'phone') and channel = purpose)
        )

)

select
    next_best_contact.customer_id,
    next_best_contact.next_action,
    next_best_contact.contact_channel
from next_best_contact
left join granted
    on
        next_best_contact.customer_id = granted.customer_id
        and next_best_contact.contact_channel = granted.channel
where next_best_contact.contact_channel is not null and granted.customer_id is null

-- One row per time a person was asked, or answered without being asked by name.
-- Invitations where the source exports them, else responses that say when they were sent; of
-- sources that tell neither, the responses alone.
-- grain: contact_key
with

responses as (

    select
        source,
        source_account,
        coalesce(response_group_id, source_id) as response_group_id,
        min(coalesce(survey_name, survey_id, '(none)')) as survey,
        min(identity_key) as identity_key,
        min(asked_at) as asked_at,
        min(opened_at) as opened_at,
        min(answered_at) filter (where status in ('answered', 'partial')) as answered_at,
        count(*) filter (where status in ('answered', 'partial')) as n_answered,
        count(*) filter (where status = 'answered') as n_complete,
        count(*) filter (where status in ('partial', 'disqualified')) as n_partial,
        count(*) filter (where status = 'bounced') as n_bounced,
        count(*) filter (where is_incentivised) as n_incentivised
    from current_survey_responses
    where not is_test
    group by source, source_account, coalesce(response_group_id, source_id)

),

invitations as (

    select * from current_survey_invitations
    where not is_test and sent_at is not null

),

inviting as (

    select distinct
        source,
        source_account,
        coalesce(survey_name, survey_id, '(none)') as survey
    from invitations

),

invited as (

    select
        invitations.invitation_id as contact_key,
        invitations.source,
        coalesce(invitations.survey_name, invitations.survey_id, '(none)') as survey,
        invitations.identity_key,
        true as is_invited,
        invitations.sent_at as contacted_at,
        coalesce(invitations.status, 'sent') not in ('bounced', 'failed') as is_delivered,
        invitations.opened_at is not null
        or invitations.clicked_at is not null
        or coalesce(invitations.status, 'sent') in ('opened', 'clicked', 'answered')
        or responses.n_answered > 0 as is_opened,
        coalesce(responses.answered_at, invitations.responded_at) as answered_at,
        coalesce(responses.n_answered, 0) > 0
        or invitations.responded_at is not null as is_answered,
        coalesce(responses.n_complete, 0) > 0
        and coalesce(responses.n_partial, 0) = 0
        or (responses.response_group_id is null and invitations.responded_at is not null)
            as is_complete,
        coalesce(invitations.is_incentivised, false)
        or coalesce(responses.n_incentivised, 0) > 0 as is_incentivised
    from invitations
    left join responses
        on
            invitations.source = responses.source
            and invitations.source_account = responses.source_account
            and invitations.response_group_id = responses.response_group_id

),

alone as (

    select
        responses.source || ':' || responses.source_account || ':' || responses.response_group_id
            as contact_key,
        responses.source,
        responses.survey,
        responses.identity_key,
        responses.asked_at is not null as is_invited,
        coalesce(responses.asked_at, responses.answered_at) as contacted_at,
        responses.n_bounced = 0 as is_delivered,
        responses.opened_at is not null or responses.n_answered > 0 as is_opened,
        responses.answered_at,
        responses.n_answered > 0 as is_answered,
        responses.n_complete > 0 and responses.n_partial = 0 as is_complete,
        responses.n_incentivised > 0 as is_incentivised
    from responses
    left join inviting
        on
            responses.source = inviting.source
            and responses.source_account = inviting.source_account
            and responses.survey = inviting.survey
    where inviting.source is null

),

contacts as (

    select * from invited
    union all
    select * from alone

)

select
    contacts.contact_key,
    contacts.source,
    contacts.survey,
    keys.customer_id,
    contacts.is_invited,
    contacts.contacted_at,
    contacts.is_delivered,
    contacts.is_delivered and contacts.is_opened as is_opened,
    contacts.answered_at,
    contacts.is_answered,
    contacts.is_answered and contacts.is_complete as is_complete,
    contacts.is_incentivised
from contacts
left join identity_keys as keys on contacts.identity_key = keys.identity_key
where contacts.contacted_at is not null

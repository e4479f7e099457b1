-- One row per version of a metric: what its number means.
-- grain: definition_id, definition_version
with

definitions as (

    select
        'nps' as definition_id,
        cast(1 as bigint) as definition_version,
        'Net Promoter Score' as name,
        '100 x (promoters - detractors) / n' as formula,
        '0-10 only: promoters 9-10, passives 7-8, detractors 0-6' as scale_rule,
        'Reichheld 2003; interval: Rocks 2016, adjusted Wald' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'nps_strict5' as definition_id,
        cast(1 as bigint) as definition_version,
        'Net Promoter Score, detractors 0-5' as name,
        '100 x (promoters - detractors) / n; sixes count in n only, as neither' as formula,
        '0-10 only: promoters 9-10, detractors 0-5' as scale_rule,
        'Reading used by some vendors' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'ltr_mean' as definition_id,
        cast(1 as bigint) as definition_version,
        'Mean likelihood to recommend' as name,
        'mean answer' as formula,
        '0-10 only' as scale_rule,
        'Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'enps' as definition_id,
        cast(1 as bigint) as definition_version,
        'Employee Net Promoter Score' as name,
        'as nps, of employees; never pooled with customers' as formula,
        '0-10 only: promoters 9-10, passives 7-8, detractors 0-6' as scale_rule,
        'Reichheld 2003; interval: Rocks 2016, adjusted Wald' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'csat' as definition_id,
        cast(1 as bigint) as definition_version,
        'Customer satisfaction' as name,
        '100 x favourable / n' as formula,
        'favourable: 4-5 of 1-5, 6-7 of 1-7, 9-10 of 1-10, 3 of 1-3, 1 of 0-1, or as the job says; other scales have no share' as scale_rule,
        'Top-two-box convention; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'csat_mean' as definition_id,
        cast(1 as bigint) as definition_version,
        'Mean customer satisfaction' as name,
        'mean answer' as formula,
        'any; scales are never mixed' as scale_rule,
        'Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'ces' as definition_id,
        cast(1 as bigint) as definition_version,
        'Customer effort score' as name,
        '100 x favourable / n; questions about effort are inverted first' as formula,
        'favourable: 5-7 of 1-7, 4-5 of 1-5, or as the job says; other scales have no share' as scale_rule,
        'CES 2.0 (CEB 2013); interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'ces_mean' as definition_id,
        cast(1 as bigint) as definition_version,
        'Mean ease' as name,
        'mean answer; questions about effort are inverted first' as formula,
        'any; scales are never mixed' as scale_rule,
        'Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'ces_norm' as definition_id,
        cast(1 as bigint) as definition_version,
        'Mean ease, 0 to 1' as name,
        'mean of (answer - min) / (max - min); questions about effort are inverted first' as formula,
        'any; the only reading of ease that may be compared across scales' as scale_rule,
        'Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'star' as definition_id,
        cast(1 as bigint) as definition_version,
        'Mean stars' as name,
        'mean answer; the answers of 4 and 5 are counted in favourable' as formula,
        'any; scales are never mixed' as scale_rule,
        'Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'star_share' as definition_id,
        cast(1 as bigint) as definition_version,
        'Share of 4 and 5 stars' as name,
        '100 x favourable / n' as formula,
        'favourable: 4-5 of 1-5, or as the job says' as scale_rule,
        'Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, metrics.dimensions, metrics.resubmission_days, metrics.weights, scale' as options_read,
        date '2026-11-01' as since

    union all

    select
        'survey_participation' as definition_id,
        cast(1 as bigint) as definition_version,
        'Participation in surveys' as name,
        'answered / sent, delivered / sent, opened / delivered, complete / responses, by the time a survey was sent; contacts_90_days is the mean number of invitations a known person had in the 90 days up to each; incentive_bias is the mean normed answer with a promised reward less without' as formula,
        'scores normed to 0-1 for the bias; within one metric and scale' as scale_rule,
        'this job; intervals: Wilson 1927, Welch' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, scale' as options_read,
        date '2026-11-22' as since

    union all

    select
        'service_levels' as definition_id,
        cast(1 as bigint) as definition_version,
        'Service levels of one conversation' as name,
        'from messages and dated changes; merged, internal, deleted and test conversations are left out, a chat and the ticket it became are one; what an agent opened begins when the customer writes' as formula,
        cast(null as string) as scale_rule,
        'this job' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'first_response' as definition_id,
        cast(1 as bigint) as definition_version,
        'First response time' as name,
        'start to the first public reply of a human; mean, median and 90th percentile over those that ended; km_median with the open ones censored at the as-of date, closed ones without a reply when they were closed' as formula,
        cast(null as string) as scale_rule,
        'textbook: total time to first reply / answered requests; Kaplan & Meier 1958' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'first_bot_response' as definition_id,
        cast(1 as bigint) as definition_version,
        'First response time of bots' as name,
        'start to the first public reply of a bot, of conversations in which one took part; mean, median and 90th percentile over those that ended; km_median with the open ones censored at the as-of date' as formula,
        cast(null as string) as scale_rule,
        'this job; Kaplan & Meier 1958' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'first_resolution' as definition_id,
        cast(1 as bigint) as definition_version,
        'Time to first resolution' as name,
        'creation to the first resolution; mean, median and 90th percentile over those that ended; km_median with the open ones censored at the as-of date' as formula,
        cast(null as string) as scale_rule,
        'textbook; Kaplan & Meier 1958' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'full_resolution' as definition_id,
        cast(1 as bigint) as definition_version,
        'Time to full resolution' as name,
        'creation to the last resolution, open again means open; mean, median and 90th percentile over those that ended; km_median with the open ones censored at the as-of date' as formula,
        cast(null as string) as scale_rule,
        'textbook; Kaplan & Meier 1958' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'first_contact_resolution' as definition_id,
        cast(1 as bigint) as definition_version,
        'First contact resolution' as name,
        'conversations solved with one public reply of a human at most and not reopened within service.reopen_days / those resolved for which that is known' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions, service.reopen_days' as options_read,
        date '2026-11-22' as since

    union all

    select
        'one_touch' as definition_id,
        cast(1 as bigint) as definition_version,
        'One-touch resolution' as name,
        'conversations solved with exactly one public reply of a human and never reopened / those ever resolved' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'reopen_rate' as definition_id,
        cast(1 as bigint) as definition_version,
        'Reopen rate' as name,
        'conversations reopened at least once / those ever resolved' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'containment' as definition_id,
        cast(1 as bigint) as definition_version,
        'Containment' as name,
        'conversations resolved without any public reply of a human / those ever resolved in which a bot took part' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'sla_first_response_breached' as definition_id,
        cast(1 as bigint) as definition_version,
        'First response target missed' as name,
        'conversations answered later than the target in force, or waiting longer / those with a target that is kept or missed' as formula,
        cast(null as string) as scale_rule,
        'target in force when it happened, else the jobs; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'sla_resolution_breached' as definition_id,
        cast(1 as bigint) as definition_version,
        'Resolution target missed' as name,
        'conversations resolved later than the target in force, or open longer / those with a target that is kept or missed' as formula,
        cast(null as string) as scale_rule,
        'target in force when it happened, else the jobs; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'sla_breached' as definition_id,
        cast(1 as bigint) as definition_version,
        'Any target missed' as name,
        'conversations with at least one target missed / those with all targets kept or one missed' as formula,
        cast(null as string) as scale_rule,
        'target in force when it happened, else the jobs; interval: Wilson 1927' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service, calendar' as options_read,
        date '2026-11-22' as since

    union all

    select
        'replies' as definition_id,
        cast(1 as bigint) as definition_version,
        'Replies per conversation' as name,
        'public replies of humans / conversations' as formula,
        cast(null as string) as scale_rule,
        'textbook; Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'reopens' as definition_id,
        cast(1 as bigint) as definition_version,
        'Reopens per conversation' as name,
        'reopened so often by its dated changes / conversations' as formula,
        cast(null as string) as scale_rule,
        'textbook; Student interval of a mean' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'backlog' as definition_id,
        cast(1 as bigint) as definition_version,
        'Backlog' as name,
        'conversations open at the end of the period, and their mean age then' as formula,
        cast(null as string) as scale_rule,
        'textbook' as authority,
        'metrics.confidence, metrics.min_cell, metrics.periods, service.dimensions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'clv' as definition_id,
        cast(1 as bigint) as definition_version,
        'Customer lifetime value' as name,
        'several readings side by side: clv_simple, clv_margin, clv_contractual, clv_probabilistic; decile 1 is the best tenth by clv_probabilistic, else clv_simple' as formula,
        cast(null as string) as scale_rule,
        'this job' as authority,
        'clv, currency, metrics.inactive_days' as options_read,
        date '2026-11-01' as since

    union all

    select
        'clv_simple' as definition_id,
        cast(1 as bigint) as definition_version,
        'Lifetime value, textbook' as name,
        'revenue of the last 365 days x (years since the first purchase + 1 / yearly churn) - acquisition cost; yearly churn is 1 - exp(-h), h = customers lost per year lived, where a life ends inactive_days after the last purchase or is still open' as formula,
        cast(null as string) as scale_rule,
        'textbook: annual revenue x years of relationship - acquisition cost' as authority,
        'clv.acquisition_cost, currency, metrics.inactive_days' as options_read,
        date '2026-11-01' as since

    union all

    select
        'clv_margin' as definition_id,
        cast(1 as bigint) as definition_version,
        'Lifetime value on gross profit' as name,
        'as clv_simple, with revenue x margin' as formula,
        cast(null as string) as scale_rule,
        'textbook' as authority,
        'clv.margin, clv.acquisition_cost, currency, metrics.inactive_days' as options_read,
        date '2026-11-01' as since

    union all

    select
        'clv_contractual' as definition_id,
        cast(1 as bigint) as definition_version,
        'Lifetime value of a subscription' as name,
        'sum over payments of margin x survival, discounted, less acquisition cost; not computed yet, always null' as formula,
        cast(null as string) as scale_rule,
        'Fader & Hardie 2007 (sBG)' as authority,
        '' as options_read,
        date '2026-11-01' as since

    union all

    select
        'clv_probabilistic' as definition_id,
        cast(1 as bigint) as definition_version,
        'Expected margin over the horizon' as name,
        'purchase days expected (BG/NBD) x spend expected (Gamma-Gamma) x margin, over clv.horizon_days in equal steps of about a month, each discounted from its end; purchases of one local day are one, the first is neither in frequency nor in spend' as formula,
        cast(null as string) as scale_rule,
        'Fader, Hardie & Lee 2005; Fader & Hardie 2013' as authority,
        'clv.fit_until, clv.unit_days, clv.horizon_days, clv.discount_rate, clv.margin, currency' as options_read,
        date '2026-11-01' as since

    union all

    select
        'churn' as definition_id,
        cast(1 as bigint) as definition_version,
        'Churn ledger' as name,
        'start + new + resurrected - churned = end, for customers and for monthly recurring revenue; without a contract a customer is active for inactive_days from an order or other activity on, with one until paid access has ended, or been paused, for grace_days' as formula,
        cast(null as string) as scale_rule,
        'this job; rates as churn_gross and churn_net' as authority,
        'metrics.periods, metrics.inactive_days, metrics.grace_days, metrics.confidence, metrics.min_cell, currency' as options_read,
        date '2026-11-01' as since

    union all

    select
        'churn_gross' as definition_id,
        cast(1 as bigint) as definition_version,
        'Gross churn' as name,
        'customers of the start of the period who churned in it / customers at its start' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: Wilson 1927' as authority,
        'metrics.periods, metrics.inactive_days, metrics.grace_days, metrics.confidence, metrics.min_cell' as options_read,
        date '2026-11-01' as since

    union all

    select
        'churn_net' as definition_id,
        cast(1 as bigint) as definition_version,
        'Net churn' as name,
        '(customers at the start - customers at the end) / customers at the start; hides new customers and can be negative' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: those who left by Wilson 1927 less those who came by Garwood 1936, combined by Zou & Donner 2008' as authority,
        'metrics.periods, metrics.inactive_days, metrics.grace_days, metrics.confidence, metrics.min_cell' as options_read,
        date '2026-11-01' as since

    union all

    select
        'retention' as definition_id,
        cast(1 as bigint) as definition_version,
        'Retention of a cohort' as name,
        'customers of the cohort who are active in the bucket / size of the cohort; kind says bounded, unbounded, calendar or rolling' as formula,
        cast(null as string) as scale_rule,
        'textbook; interval: Wilson 1927' as authority,
        'metrics.cohorts, metrics.cohort_start, metrics.grace_days, metrics.confidence, metrics.min_cell, currency' as options_read,
        date '2026-11-01' as since

    union all

    select
        'journey_stage' as definition_id,
        cast(1 as bigint) as definition_version,
        'Journey stage' as name,
        'stage that a customer entered by the jobs ordered rules and has not left' as formula,
        cast(null as string) as scale_rule,
        'this job' as authority,
        'stages' as options_read,
        date '2026-11-01' as since

    union all

    select
        'stage_conversion' as definition_id,
        cast(1 as bigint) as definition_version,
        'Stage conversion' as name,
        'stays followed by a later stage within conversion_days / stays entered so long ago that those days are over' as formula,
        cast(null as string) as scale_rule,
        'this job; interval: Wilson 1927' as authority,
        'stages' as options_read,
        date '2026-11-01' as since

    union all

    select
        'journey_transition' as definition_id,
        cast(1 as bigint) as definition_version,
        'Transition between touchpoints' as name,
        'paths that went from one touchpoint straight to the other / paths that left the one; a path starts with a touch, and ends with a purchase or is lost when conversion_days pass without a touch' as formula,
        cast(null as string) as scale_rule,
        'directly-follows graph: van der Aalst 2016' as authority,
        'stages.conversion_days, paths' as options_read,
        date '2026-11-22' as since

    union all

    select
        'journey_path' as definition_id,
        cast(1 as bigint) as definition_version,
        'Path' as name,
        'paths with the same touchpoints in the same order; conversion rate: converted / (converted + lost)' as formula,
        cast(null as string) as scale_rule,
        'this job; interval: Wilson 1927' as authority,
        'stages.conversion_days, paths, metrics.confidence' as options_read,
        date '2026-11-22' as since

    union all

    select
        'session' as definition_id,
        cast(1 as bigint) as definition_version,
        'Session' as name,
        'events of a customer on one web site or app, system and device, together: those of one session id where the source gives one, else those with no more than inactive_minutes between one and the next; engaged: longer than 10 seconds, two pages or more, a key event, or by the word of the source' as formula,
        cast(null as string) as scale_rule,
        'Google Analytics 4: 30 minutes, no end at midnight or with another campaign; both ends, of Universal Analytics, as options' as authority,
        'sessions' as options_read,
        date '2026-11-22' as since

    union all

    select
        'funnel' as definition_id,
        cast(1 as bigint) as definition_version,
        'Funnel' as name,
        'customers who took a step, after all steps before it in order, within the days of the funnel from their first time in the period that they took the first step / those who took the first step and whose days are over' as formula,
        cast(null as string) as scale_rule,
        'this job; interval: Wilson 1927' as authority,
        'funnel, stages, metrics.confidence, metrics.min_cell, metrics.periods' as options_read,
        date '2026-11-22' as since

    union all

    select
        'touchpoint_attribution' as definition_id,
        cast(1 as bigint) as definition_version,
        'Attribution to touchpoints' as name,
        'purchases given to the touchpoints of their paths: all to the first, all to the last, to all alike (linear), 40 % to first and last each (position), or in proportion to the share of purchases lost without the touchpoint (markov_1, markov_2); what goes together, not what causes' as formula,
        cast(null as string) as scale_rule,
        'Anderl et al. 2016 for the Markov models, solved exactly' as authority,
        'stages.conversion_days, paths' as options_read,
        date '2026-11-22' as since

    union all

    select
        'pain_point' as definition_id,
        cast(1 as bigint) as definition_version,
        'Pain point' as name,
        'drop-off: touches that were the last of a lost path / touches whose outcome is known, against all other touchpoints of the stage; score: mean answer on 0 to 1 against the mean of the same metric and scale; severity: sum of both differences in standard errors / square root of how many of them are known' as formula,
        'enps not among the answers' as scale_rule,
        'this job; intervals: Wilson 1927, Newcombe 1998, Student; severity: Stouffer 1949' as authority,
        'paths, stages, metrics.confidence, metrics.min_cell, metrics.resubmission_days, scale' as options_read,
        date '2026-11-22' as since

    union all

    select
        'change_effect' as definition_id,
        cast(1 as bigint) as definition_version,
        'Effect of a change' as name,
        'the metric during and after a change minus the metric before it, over as many days; net of it: less the same difference outside the scope of the change; what came with the change, not what it caused' as formula,
        'as the metric' as scale_rule,
        'two proportions: Newcombe 1998; means: Welch 1947; difference of differences: Zou & Donner 2008' as authority,
        'change, metrics.confidence, metrics.min_cell, metrics.resubmission_days, scale' as options_read,
        date '2026-11-22' as since

    union all

    select
        'survival' as definition_id,
        cast(1 as bigint) as definition_version,
        'Survival' as name,
        'Kaplan-Meier share not churned, in days from the first start to the first churn; who has not churned is censored at the horizon; the restricted mean is over 365 days or as far as the curve is known' as formula,
        cast(null as string) as scale_rule,
        'Kaplan & Meier 1958; interval: Greenwood, log-log; log-rank: Mantel 1966' as authority,
        'metrics.inactive_days, metrics.grace_days, metrics.cohorts, metrics.confidence, metrics.min_cell' as options_read,
        date '2026-11-01' as since

    union all

    select
        'sbg' as definition_id,
        cast(1 as bigint) as definition_version,
        'Renewal of contracts' as name,
        'shifted-beta-geometric model by maximum likelihood: S(t) = B(a, b + t) / B(a, b), r(t) = (b + t - 1) / (a + b + t - 1), derl = sum of S(n + k) / S(n) / (1 + d)^(k - 1) over k from 1; a renewal is a month of paid access' as formula,
        cast(null as string) as scale_rule,
        'Fader & Hardie 2007, 2010' as authority,
        'metrics.cohorts, metrics.grace_days, metrics.confidence, metrics.min_cell, clv.discount_rate' as options_read,
        date '2026-11-01' as since

    union all

    select
        'churn_by_feedback' as definition_id,
        cast(1 as bigint) as definition_version,
        'Churn after feedback' as name,
        'of the customers active window_days before the horizon, by their newest answer up to then, the share that churned in the window; hazard is churned per year lived in it' as formula,
        cast(null as string) as scale_rule,
        'this job; intervals: Wilson 1927, Garwood 1936, Katz 1978' as authority,
        'metrics.inactive_days, metrics.grace_days, metrics.confidence, metrics.min_cell' as options_read,
        date '2026-11-01' as since

    union all

    select
        'clv' as definition_id,
        cast(2 as bigint) as definition_version,
        'Customer lifetime value' as name,
        'several readings side by side: clv_simple, clv_margin, clv_contractual, clv_probabilistic; decile 1 is the best tenth by the greater of clv_probabilistic and clv_contractual, else clv_simple' as formula,
        cast(null as string) as scale_rule,
        'this job' as authority,
        'clv, currency, metrics.inactive_days, metrics.grace_days, metrics.confidence' as options_read,
        date '2026-11-22' as since

    union all

    select
        'clv_simple' as definition_id,
        cast(2 as bigint) as definition_version,
        'Lifetime value, textbook' as name,
        'revenue of the last 365 days (of who never ordered, twelve times recurring revenue) x (years since the first purchase + 1 / yearly churn) - cac; yearly churn is 1 - exp(-h), h = customers lost per year lived, where a life ends inactive_days after the last purchase, or with the contract, or is still open' as formula,
        cast(null as string) as scale_rule,
        'textbook: annual revenue x years of relationship - acquisition cost' as authority,
        'clv, currency, metrics.inactive_days, metrics.grace_days, metrics.confidence' as options_read,
        date '2026-11-22' as since

    union all

    select
        'clv_margin' as definition_id,
        cast(2 as bigint) as definition_version,
        'Lifetime value on gross profit' as name,
        'as clv_simple, with revenue x margin' as formula,
        cast(null as string) as scale_rule,
        'textbook' as authority,
        'clv, currency, metrics.inactive_days, metrics.grace_days, metrics.confidence' as options_read,
        date '2026-11-22' as since

    union all

    select
        'clv_contractual' as definition_id,
        cast(2 as bigint) as definition_version,
        'Lifetime value of a contract' as name,
        'recurring revenue x margin x derl: sum over renewals k from 1 of S(n + k) / S(n) / (1 + d)^(k - 1), by the shifted-beta-geometric model of months renewed' as formula,
        cast(null as string) as scale_rule,
        'Fader & Hardie 2007, 2010' as authority,
        'clv, currency, metrics.inactive_days, metrics.grace_days, metrics.confidence' as options_read,
        date '2026-11-22' as since

    union all

    select
        'clv_probabilistic' as definition_id,
        cast(2 as bigint) as definition_version,
        'Expected margin over the horizon' as name,
        'purchase days expected (clv.model: BG/NBD, MBG/NBD or Pareto/NBD) x spend expected (Gamma-Gamma) x margin, over clv.horizon_days in equal steps of about a month, each discounted from its end; purchases of one local day are one, the first is neither in frequency nor in spend; interval by the delta method on the logarithm' as formula,
        cast(null as string) as scale_rule,
        'Fader, Hardie & Lee 2005; Batislam et al. 2007; Schmittlein et al. 1987; Fader & Hardie 2013' as authority,
        'clv, currency, metrics.inactive_days, metrics.grace_days, metrics.confidence' as options_read,
        date '2026-11-22' as since

    union all

    select
        'clv_backtest' as definition_id,
        cast(2 as bigint) as definition_version,
        'Backtest of lifetime value' as name,
        'models fitted up to holdout_days before the fit day, asked for the purchases and the revenue since' as formula,
        cast(null as string) as scale_rule,
        'this job' as authority,
        'clv, currency' as options_read,
        date '2026-11-22' as since

    union all

    select
        'cac' as definition_id,
        cast(2 as bigint) as definition_version,
        'Cost to win a customer' as name,
        'what advertising on a channel cost in a month / customers whose first touch was on it and who started in that month' as formula,
        cast(null as string) as scale_rule,
        'textbook' as authority,
        'currency' as options_read,
        date '2026-11-22' as since

    union all

    select
        'rfm' as definition_id,
        cast(1 as bigint) as definition_version,
        'Recency, frequency, money' as name,
        'fifths of all who ever ordered by days since the last order, orders, and orders less refunds: 1 + floor(5 x share of customers with less), equal values together; the segment is the cell of recency by frequency' as formula,
        cast(null as string) as scale_rule,
        'Hughes 1994; names: the grid in common use' as authority,
        'currency' as options_read,
        date '2026-11-22' as since

    union all

    select
        'personas' as definition_id,
        cast(1 as bigint) as definition_version,
        'Personas' as name,
        'k-means on standardised logarithms of features of all who ever ordered or subscribed, from starts by Var-Part; as many groups as give the best silhouette; numbers and names are those of the nearest group of the reference' as formula,
        cast(null as string) as scale_rule,
        'Lloyd 1982; Su & Dy 2007; Rousseeuw 1987' as authority,
        'segments, currency, metrics.min_cell' as options_read,
        date '2026-11-22' as since

    union all

    select
        'churn_risk' as definition_id,
        cast(1 as bigint) as definition_version,
        'Churn risk' as name,
        'probability that an active customer churns by the rule of the ledger in the 90 days after the as-of date; logistic regression or boosted trees, whichever had the lower Brier score on the last 90 days, fitted to the windows before and made right on customers kept apart' as formula,
        cast(null as string) as scale_rule,
        'Friedman 2001; Chen & Guestrin 2016; isotonic: Ayer et al. 1955, else Platt 1999' as authority,
        'risk, metrics.inactive_days, metrics.grace_days, metrics.confidence, metrics.min_cell, currency' as options_read,
        date '2026-11-22' as since

    union all

    select
        'next_best_contact' as definition_id,
        cast(1 as bigint) as definition_version,
        'Next best contact' as name,
        'the first that holds of: an open conversation, no consent, too many contacts, a detractor, most at risk of churn, lapsed, a loyal promoter, before the first purchase; by the allowed channel used last' as formula,
        cast(null as string) as scale_rule,
        'this job' as authority,
        'stages, risk' as options_read,
        date '2026-11-22' as since

)

select * from definitions

"""A made-up fourth modality: the pulse, a table of beats. See tests/journeys."""

"""The command line of the Zoho CRM pipeline: python -m pipelines.zoho_crm."""

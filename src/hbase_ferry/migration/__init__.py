"""What to do: settings, steps, plan, service, journal. Front ends hold `service.MigrationService` and nothing below."""

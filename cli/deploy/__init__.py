"""The product on a project: `world` describes it as data, `apply` makes it so through Google's APIs."""

"""What happened since the shipped studies were written, for ``tenfold plan backtest``."""

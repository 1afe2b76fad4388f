"""The EGMT network: encoders, cross-modal interaction, label head, decoder, checkpoints."""

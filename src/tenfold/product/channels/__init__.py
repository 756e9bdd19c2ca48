"""Channels on which a product is written to and sends by itself: WhatsApp and Messenger, by Meta's Graph API."""

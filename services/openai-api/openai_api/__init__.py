"""OpenAI's API in front of an engine that speaks TGI's: requests are translated on the way in, answers on the
way out.
"""

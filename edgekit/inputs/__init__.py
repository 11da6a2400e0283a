"""What is fed to a model while it is calibrated, compared and checked: one dict of arrays a call.

One file per form of an input (images, audio, texts, arrays), each turning one file or one text into arrays by the
input's `preprocess`; streams.py puts the inputs of a call together and keeps the state of models that have one.
"""

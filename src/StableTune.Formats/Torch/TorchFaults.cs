namespace StableTune.Formats;

/// <summary>Remedies that several parts of the reader name.</summary>
internal static class TorchFaults
{
    public const string Damaged = "The file is damaged or was not fully written: download or save it again.";

    public const string Untrusted = "Nothing of it was run. Programs that open it without such a check would run it: do not trust the "
        + "file, " +
        "and get the model as .safetensors or from its author.";

    public const string Convert = "Save the weights alone, as a dictionary of names and tensors, or convert them to .safetensors.";
}

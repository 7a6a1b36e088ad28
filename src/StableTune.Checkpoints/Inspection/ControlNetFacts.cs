namespace StableTune.Checkpoints;

/// <summary>Describes ControlNets and PFG networks.</summary>
internal static class ControlNetFacts
{
    /// <summary>Describes a ControlNet's file.</summary>
    public static ModelInspection Describe(string path, WeightContents contents)
    {
        var width = contents.Tensors.FirstOrDefault(tensor =>
            tensor.Name.EndsWith(".attn2.to_k.weight", StringComparison.Ordinal) && tensor.Shape.Count == 2)?.Shape[1];
        var of = width is not { } known ? "" : ControlNetShapes.Published(known) is { } name
            ? $" for Stable Diffusion {name} (from the width of the text context, {known})" : $" for a text context {known} wide";
        var names = contents.Tensors.Any(tensor => tensor.Name.StartsWith("controlnet_", StringComparison.Ordinal)) ? "diffusers'"
            : "the original";
        var difference = contents.Tensors.Any(tensor => tensor.Name == ControlNetSource.Difference)
            ? ", as differences from a UNet's weights" : "";
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.ControlNet, Summary = $"ControlNet{of}, under {names} names{difference}",
            Parts = [InspectedPart.Of("controlnet", null, contents.Tensors)],
        };
    }

    /// <summary>Whether the tensors are those of one linear layer, and nothing else: sd-trainer's PFG.</summary>
    public static bool IsPromptFree(WeightContents contents) =>
        contents.Tensors.Count == 2
        && contents.Tensors.FirstOrDefault(tensor => tensor.Name == "weight") is { Shape: [var rows, _] }
        && contents.Tensors.FirstOrDefault(tensor => tensor.Name == "bias") is { Shape: [var same] } && rows == same;

    /// <summary>Describes a PFG network's file.</summary>
    public static ModelInspection DescribePromptFree(string path, WeightContents contents)
    {
        var shape = contents.Tensors.First(tensor => tensor.Name == "weight").Shape;
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.PromptFree,
            Summary = $"PFG network: {shape[1]} features of a picture to {shape[0]} numbers of text tokens",
            Parts = [InspectedPart.Of("pfg", null, contents.Tensors)],
        };
    }
}

namespace StableTune.Preparation;

/// <summary>How masks are made of the images of a folder.</summary>
public sealed record MaskMakingOptions : ModelFolderOptions;

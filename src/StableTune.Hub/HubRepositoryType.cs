namespace StableTune.Hub;

/// <summary>The kinds of repositories on the hub.</summary>
public enum HubRepositoryType
{
    /// <summary>A model: weights and their configuration.</summary>
    Model,

    /// <summary>A data set: images, captions.</summary>
    Dataset,

    /// <summary>A program with a page of its own.</summary>
    Space,
}

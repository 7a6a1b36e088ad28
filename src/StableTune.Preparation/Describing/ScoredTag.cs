namespace StableTune.Preparation;

/// <summary>What a tag speaks of. The numbers are those of Danbooru and of <c>selected_tags.csv</c>; those that have none there begin at
/// 100.</summary>
public enum TagCategory
{
    /// <summary>What is seen.</summary>
    General = 0,

    /// <summary>Who drew it.</summary>
    Artist = 1,

    /// <summary>The series that it belongs to.</summary>
    Copyright = 3,

    /// <summary>Who is seen.</summary>
    Character = 4,

    /// <summary>About the file rather than the picture.</summary>
    Meta = 5,

    /// <summary>For whom it is fit: of these an image has one.</summary>
    Rating = 9,

    /// <summary>How well it is done: of these an image has one.</summary>
    Quality = 100,

    /// <summary>The model that made it.</summary>
    Model = 101,
}

/// <summary>A tag that an image may have.</summary>
/// <param name="Name">The tag as the model knows it, mostly with underscores.</param>
/// <param name="Score">How likely it is, in [0, 1].</param>
/// <param name="Category">What it speaks of.</param>
public readonly record struct ScoredTag(string Name, float Score, TagCategory Category = TagCategory.General);

/// <summary>A tag and how many images have it.</summary>
/// <param name="Tag">The tag as it was written.</param>
/// <param name="Images">The number of images.</param>
public readonly record struct TagCount(string Tag, int Images);

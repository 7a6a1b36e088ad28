namespace StableTune.Data;

/// <summary>How often each regularisation image occurs in an epoch, so that there are as many of them as training images.</summary>
internal static class RegularizationBalance
{
    /// <summary>
    /// Walks through the images in order: at first each enters with its own repeats, then, as long as they are too few, each
    /// with one more in turn. It ends as soon as there are enough, so the last image of the first walk may overshoot.
    /// </summary>
    /// <param name="own">Each image's own repeats, at least 1.</param>
    /// <param name="wanted">Training images, repeats included.</param>
    /// <returns>The repeats of each image; 0 for one that is not used.</returns>
    internal static int[] Repeats(IReadOnlyList<int> own, int wanted)
    {
        var result = new int[own.Count];
        if (own.Count == 0) return result;
        var total = 0;
        for (var i = 0; total < wanted; i++)
        {
            var more = i < own.Count ? own[i] : 1;
            result[i % own.Count] += more;
            total += more;
        }

        return result;
    }
}

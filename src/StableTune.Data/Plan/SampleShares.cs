namespace StableTune.Data;

/// <summary>Divides a number of draws.</summary>
internal static class SampleShares
{
    /// <summary>Whole shares of at least 1 that are as near to the weights as they can be, and together the total (largest
    /// remainders).</summary>
    /// <param name="weights">Positive numbers.</param>
    /// <param name="total">What is divided; at least as much as there are weights.</param>
    internal static int[] Of(IReadOnlyList<double> weights, int total)
    {
        var sum = weights.Sum();
        var exact = weights.Select(weight => total * (weight / sum)).ToArray();
        var shares = exact.Select(share => Math.Max(1, (int)Math.Floor(share))).ToArray();
        while (shares.Sum() is var given && given != total)
        {
            // Whoever lacks most gets one; whoever has most too much, and more than one, gives one. Of equals the first.
            var place = -1;
            for (var i = 0; i < shares.Length; i++)
            {
                if (given > total && shares[i] == 1) continue;
                if (place < 0 || (given < total ? exact[i] - shares[i] > exact[place] - shares[place]
                    : exact[i] - shares[i] < exact[place] - shares[place])) place = i;
            }

            shares[place] += given < total ? 1 : -1;
        }

        return shares;
    }
}

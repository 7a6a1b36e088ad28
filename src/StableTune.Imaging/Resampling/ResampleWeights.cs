namespace StableTune.Imaging;

/// <summary>For each place of the result along one axis: the first source place, the number of weights, and the weights.</summary>
internal sealed class ResampleWeights
{
    /// <summary>Weights are integers, scaled by 2^22: 32 bits less 8 for the value and 2 for overshoot.</summary>
    internal const int Precision = 22;

    private readonly int[] _weights;
    private readonly int _most;

    /// <summary>Pillow's rule: a filter stretched by the reduction, sampled at pixel centres, normalised, rounded half away from
    /// 0.</summary>
    internal ResampleWeights(int from, int to, ResampleKernel kernel)
    {
        var scale = (double)from / to;
        var stretch = Math.Max(scale, 1);
        var support = kernel.Support * stretch;
        _most = ((int)Math.Ceiling(support) * 2) + 1;
        _weights = new int[to * _most];
        First = new int[to];
        Count = new int[to];
        var raw = new double[_most];
        for (var i = 0; i < to; i++)
        {
            var center = (i + 0.5) * scale;
            First[i] = Math.Max((int)(center - support + 0.5), 0);
            Count[i] = Math.Min((int)(center + support + 0.5), from) - First[i];
            var sum = 0.0;
            for (var k = 0; k < Count[i]; k++) sum += raw[k] = kernel.Weight((k + First[i] - center + 0.5) * (1 / stretch));
            for (var k = 0; k < Count[i]; k++)
            {
                var weight = (sum == 0 ? raw[k] : raw[k] / sum) * (1 << Precision);
                _weights[(i * _most) + k] = (int)(weight < 0 ? weight - 0.5 : weight + 0.5);
            }
        }
    }

    internal int[] First { get; }

    internal int[] Count { get; }

    /// <summary>The weights of place <paramref name="i"/>, [Count[i]].</summary>
    internal ReadOnlySpan<int> this[int i] => _weights.AsSpan(i * _most, Count[i]);
}

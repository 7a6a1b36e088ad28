using StableTune.Training;

namespace StableTune.Training.Tests.Parallel;

/// <summary>What processes give each other besides gradients.</summary>
public sealed class ProcessExchangeTests
{
    /// <summary>Weights of several types and shapes: all take over the first one's, bit for bit.</summary>
    [Fact]
    public void Share_GivesAllTheWeightsOfTheFirst()
    {
        using var scope = NewDisposeScope();
        Tensor[] Weights(ulong seed)
        {
            using var random = new Generator(seed);
            return [randn([3, 4], generator: random), randn([1000], generator: random),
                randn([5], generator: random).to(ScalarType.BFloat16), randn([2, 2], generator: random),
                randn([7], generator: random, dtype: ScalarType.Float64)];
        }

        Tensor[][] processes = [Weights(1), Weights(2), Weights(3)];
        var expected = Weights(1);
        var sums = new List<Tensor>();
        // One after the other: the first's numbers are what the others' sums come to.
        for (var rank = 0; rank < processes.Length; rank++) ProcessExchange.Share(new Recorded(rank, sums), processes[rank]);
        Assert.All(processes.SelectMany(weights => weights.Zip(expected)), pair =>
            Assert.True(pair.First.equal(pair.Second).all().item<bool>()));
    }

    /// <summary>Sums over processes that come one after the other, of which all but the first add zeros.</summary>
    private sealed class Recorded(int rank, List<Tensor> sums) : IProcessGroup
    {
        private int _sum;

        public int Rank => rank;

        public int Count => 3;

        public long BytesSent => 0;

        public string NameOf(int other) => $"process {other}";

        public void Sum(Tensor values)
        {
            if (rank == 0) sums.Add(values.clone().DetachFromDisposeScope());
            else values.add_(sums[_sum++]);
        }

        public IReadOnlyList<byte[]> Gather(byte[] mine) => throw new NotSupportedException();

        public void Fail(string reason) => throw new NotSupportedException();

        public void Dispose() { }
    }
}

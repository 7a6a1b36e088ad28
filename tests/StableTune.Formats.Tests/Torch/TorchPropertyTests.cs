using System.Numerics;

namespace StableTune.Formats.Tests.Torch;

/// <summary>Random values, written and read back: the same.</summary>
public sealed class TorchPropertyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WriteThenRead_RandomTrees_AreTheSame()
    {
        var random = new Random(11);
        for (var round = 0; round < 300; round++)
        {
            var payloads = new Dictionary<PickleTensor, byte[]>();
            var tree = Tree(random, 4, payloads);
            TorchWriter.Write(_folder.File("tree.pt"), tree);
            using var file = TorchFile.Open(_folder.File("tree.pt"));
            AssertSame(file, tree, file.Root, payloads);
        }
    }

    private static void AssertSame(TorchFile file, PickleValue expected, PickleValue actual, Dictionary<PickleTensor, byte[]> payloads)
    {
        Assert.Same(expected.GetType(), actual.GetType());
        switch (expected)
        {
            case PickleInteger integer: Assert.Equal(integer.Value, ((PickleInteger)actual).Value); break;
            case PickleFloat number: Assert.Equal(
                BitConverter.DoubleToInt64Bits(number.Value), BitConverter.DoubleToInt64Bits(((PickleFloat)actual).Value)); break;
            case PickleText text: Assert.Equal(text.Value, ((PickleText)actual).Value); break;
            case PickleTensor tensor:
                Assert.Equal(tensor.ToString(), actual.ToString());
                Assert.Equal(payloads[tensor], file.BytesOf(actual));
                break;
            case PickleSequence sequence:
                Assert.Equal((sequence.Kind, sequence.Count), (((PickleSequence)actual).Kind, ((PickleSequence)actual).Count));
                for (var i = 0; i < sequence.Count; i++) AssertSame(file, sequence[i], ((PickleSequence)actual)[i], payloads);
                break;
            case PickleDictionary dictionary:
                var other = (PickleDictionary)actual;
                Assert.Equal((dictionary.IsOrdered, dictionary.Count), (other.IsOrdered, other.Count));
                foreach (var ((key, value), (otherKey, otherValue)) in dictionary.Zip(other))
                {
                    AssertSame(file, key, otherKey, payloads);
                    AssertSame(file, value, otherValue, payloads);
                }

                break;
            default: Assert.Same(expected, actual); break;          // None, True and False are one object each
        }
    }

    private static PickleValue Tree(Random random, int depth, Dictionary<PickleTensor, byte[]> payloads) =>
        random.Next(depth == 0 ? 6 : 10) switch
    {
        0 => PickleNone.Value,
        1 => random.Next(2) == 0,
        2 => new PickleInteger(Number(random)),
        3 => BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)),
        4 => Word(random),
        5 or 6 => Tensor(random, payloads),
        7 => new PickleSequence(PickleSequenceKind.List,
            Enumerable.Range(0, random.Next(5)).Select(_ => Tree(random, depth - 1, payloads)).ToList()),
        8 => new PickleSequence(PickleSequenceKind.Tuple,
            Enumerable.Range(0, random.Next(5)).Select(_ => Tree(random, depth - 1, payloads)).ToList()),
        _ => new PickleDictionary(Enumerable.Range(0, random.Next(400 >> (2 * (4 - depth))))
            .Select(_ => new KeyValuePair<string, PickleValue>(Word(random), Tree(random, Math.Min(depth - 1, 1), payloads))).ToList(),
            random.Next(2) == 0),
    };

    private static BigInteger Number(Random random)
    {
        var bytes = new byte[random.Next(1, random.Next(1, 60))];
        random.NextBytes(bytes);
        return new BigInteger(bytes);
    }

    private static string Word(Random random) => string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => random.Next(8) switch
    {
        0 => "ä", 1 => "☃", 2 => "🐸", 3 => "\n", 4 => "\0", _ => ((char)random.Next(32, 127)).ToString(),
    }));

    private static PickleTensor Tensor(Random random, Dictionary<PickleTensor, byte[]> payloads)
    {
        var type = (TensorDType)random.Next(Enum.GetValues<TensorDType>().Length);
        var shape = Enumerable.Range(0, random.Next(5)).Select(_ => (long)random.Next(random.Next(10) == 0 ? 0 : 1, 5)).ToArray();
        var bytes = new byte[shape.Aggregate((long)type.Size(), (a, b) => a * b)];
        random.NextBytes(bytes);
        var tensor = PickleTensor.From(new TensorPayload("t", type, shape, stream => stream.Write(bytes)));
        payloads.Add(tensor, bytes);
        return tensor;
    }
}

using StableTune.Optimizers;
using static TorchSharp.torch;

namespace StableTune.FullSize;

/// <summary>Optimizers that remember in eight bits as a loop over tensors: codes are searched for among the map's middles.</summary>
internal static class EightBitLoops
{
    private const double Rate = 1e-4, Epsilon = 1e-8;

    public static Action AdamW(Tensor[] weights)
    {
        Coded[] first = [.. weights.Select(weight => new Coded(weight, BlockwiseQuantization.Signed))];
        Coded[] second = [.. weights.Select(weight => new Coded(weight, BlockwiseQuantization.Unsigned))];
        return OptimizerLoops.Each(weights, (weight, gradient, i, step) =>
        {
            var (m, v) = (first[i].Read(), second[i].Read());
            m.mul_(0.9).add_(gradient, 0.1);
            v.mul_(0.999).addcmul_(gradient, gradient, 0.001);
            weight.mul_(1 - (Rate * 0.01));
            var root = (v.sqrt() / Math.Sqrt(1 - Math.Pow(0.999, step))).add_(Epsilon);
            weight.addcdiv_(m, root, -Rate / (1 - Math.Pow(0.9, step)));
            first[i].Write(m);
            second[i].Write(v);
        });
    }

    public static Action Lion(Tensor[] weights)
    {
        Coded[] first = [.. weights.Select(weight => new Coded(weight, BlockwiseQuantization.Signed))];
        return OptimizerLoops.Each(weights, (weight, gradient, i, _) =>
        {
            var m = first[i].Read();
            weight.add_((m * 0.9).add_(gradient, 0.1).sign_(), -Rate);
            first[i].Write(m.mul_(0.99).add_(gradient, 0.01));
        });
    }

    /// <summary>Numbers in eight bits, 256 with one scale.</summary>
    private sealed class Coded
    {
        private readonly Tensor _codes, _scales, _map, _middles;
        private readonly long[] _shape;

        public Coded(Tensor weight, BlockwiseQuantization quantization)
        {
            _shape = weight.shape;
            _map = tensor([.. quantization.Map]);
            _middles = (_map[TensorIndex.Slice(1)] + _map[TensorIndex.Slice(0, -1)]) / 2;
            _codes = full([weight.numel() / 256, 256], quantization.Map.ToList().IndexOf(0), ScalarType.Byte);
            _scales = zeros([weight.numel() / 256, 1]);
        }

        public Tensor Read() => _map.index_select(0, _codes.view(-1).to(ScalarType.Int32)).view(-1, 256).mul_(_scales).view(_shape);

        public void Write(Tensor values)
        {
            var blocks = values.view(-1, 256);
            _scales.copy_(blocks.abs().amax([1], keepdim: true));
            _codes.copy_(bucketize(blocks / _scales.clamp_min(1e-38), _middles));
        }
    }
}

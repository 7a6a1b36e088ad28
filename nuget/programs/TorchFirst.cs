// A program that touches TorchSharp before anything of StableTune, in the strictest and oldest C# that the packages allow.
using System;
using TorchSharp;

namespace Fresh
{
    internal static class TorchFirst
    {
        private static int Main()
        {
            var sum = torch.ones(3, 4).sum().item<float>();
            Console.WriteLine(sum == 12f ? StableTune.Torch.NativeBackend.Describe().ToString() : "the sum is wrong");
            return sum == 12f ? 0 : 1;
        }
    }
}

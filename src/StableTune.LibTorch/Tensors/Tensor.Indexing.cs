namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>
        /// A part of the tensor: a view for numbers, slices, ellipsis and new dimensions; a copy when an index tensor or mask is among them.
        /// Setting writes into the part, converted and broadcast.
        /// </summary>
        /// <exception cref="ArgumentException">More entries than dimensions, or two ellipses.</exception>
        public Tensor this[params TensorIndex[] indices]
        {
            get
            {
                using var scope = NewDisposeScope();
                var view = ApplyBasic(indices, out var advanced);
                var part = advanced is null ? view : view.index(advanced);
                return (ReferenceEquals(part, this) ? alias() : part).MoveToOuterDisposeScope();
            }
            set
            {
                ArgumentNullException.ThrowIfNull(value);
                using var scope = NewDisposeScope();
                var view = ApplyBasic(indices, out var advanced);
                if (advanced is null) view.copy_(value);
                else view.index_put_(value.to(this), advanced);
            }
        }

        /// <summary>Applies the entries that give views; index tensors are left in <paramref name="advanced"/>, at their dimension.</summary>
        private Tensor ApplyBasic(TensorIndex[] indices, out Tensor?[]? advanced)
        {
            var named = indices.Count(Consumes) + indices.Sum(index => index.Indices is { dtype: ScalarType.Bool } mask ? (int)mask.dim() - 1 : 0);
            var rank = (int)dim();
            if (named > rank || indices.Count(index => index.IndexKind == TensorIndex.Kind.Ellipsis) > 1)
                throw new ArgumentException($"{indices.Length} index entries do not fit {this}: at most one for each dimension, and one ellipsis");
            var view = this;
            var (at, folded) = (0, 0);   // the dimension of the view, and by how many the list of index tensors is shorter up to there
            List<Tensor?>? found = null;
            foreach (var index in indices)
            {
                switch (index.IndexKind)
                {
                    case TensorIndex.Kind.Ellipsis: at += rank - named; break;
                    case TensorIndex.Kind.None: view = view.unsqueeze(at++); break;
                    case TensorIndex.Kind.Single: view = view.select(at, index.Value); break;
                    case TensorIndex.Kind.Slice: view = view.slice(at++, index.Start ?? 0, index.Stop ?? long.MaxValue, index.Step); break;
                    default:
                        found ??= [];
                        while (found.Count < at - folded) found.Add(null);
                        found.Add(index.Indices);
                        // A mask stands for all of its dimensions, but is one entry of the list.
                        var spanned = index.Indices is { dtype: ScalarType.Bool } mask ? (int)mask.dim() : 1;
                        (at, folded) = (at + spanned, folded + spanned - 1);
                        break;
                }
            }
            advanced = found?.ToArray();
            return view;
        }

        private static bool Consumes(TensorIndex index) => index.IndexKind is not (TensorIndex.Kind.None or TensorIndex.Kind.Ellipsis);
    }
}

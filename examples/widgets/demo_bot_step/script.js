define(['jquery'], function ($) {
  'use strict';

  var DEFAULT_ENDPOINT = 'https://shop.widget-registry.test/orders/check';

  var CustomWidget = function () {
    var self = this;

    var endpoint = function () {
      return $.trim(String(self.get_settings().endpoint || '')) || DEFAULT_ENDPOINT;
    };

    // Branches the bot by one key of the data that the shop sends to return_url.
    var branch = function (key, value, code) {
      return {
        handler: 'conditions',
        params: {
          logic: 'and',
          conditions: [{ term1: '{{json.' + key + '}}', term2: value, operation: '=' }],
          result: [{ handler: 'exits', params: { value: code } }]
        }
      };
    };

    this.callbacks = {
      render: function () {
        return true;
      },
      init: function () {
        return true;
      },
      bind_actions: function () {
        return true;
      },
      settings: function ($modal_body) {
        // A "custom" setting has a hidden input: show a field that fills it.
        var $input = $modal_body.find('input[name="endpoint"]');

        $('<input type="url">')
          .attr('placeholder', DEFAULT_ENDPOINT)
          .val($input.val())
          .on('input', function () { $input.val($(this).val()).trigger('change'); })
          .insertAfter($input);
        return true;
      },
      onSave: function () {
        return true;
      },
      salesbotDesignerSettings: function () {
        return {
          exits: [
            { code: 'found', title: self.i18n('salesbot').found },
            { code: 'missing', title: self.i18n('salesbot').missing }
          ]
        };
      },
      // Two steps: ask the shop and wait until it answers at return_url, then leave by its answer.
      onSalesbotDesignerSave: function (handler_code, params) {
        return JSON.stringify([
          {
            question: [
              {
                handler: 'widget_request',
                params: {
                  url: endpoint(),
                  data: {
                    step: handler_code,
                    order_number: params.order_number || '{{lead.id}}',
                    attempts: params.attempts || '1',
                    lead: '{{lead.id}}'
                  }
                }
              },
              { handler: 'goto', params: { type: 'question', step: 1 } }
            ]
          },
          {
            question: [
              branch('status', 'success', 'found'),
              { handler: 'exits', params: { value: 'missing' } }
            ]
          }
        ]);
      },
      destroy: function () {}
    };
    return this;
  };

  return CustomWidget;
});
